"""What else a machine did while something was timed."""

from pydantic import Field

from pipelines.schemas.schema import Schema

BUSY = 0.1
"""Share of a machine's CPUs; where other work takes more, no absolute time is judged."""


class Load(Schema):
    """What else a machine did while something was timed."""

    others: float = Field(ge=0, description="CPUs that other processes kept busy, on average")
    cpus: int = Field(description="the machine has")
    average: float = Field(description="load average of the last minute, at the end")

    @property
    def busy(self) -> bool:
        """Whether a time taken meanwhile may say more of other work than of ours."""
        return self.others > BUSY * self.cpus

    def __str__(self) -> str:
        return f"other processes kept {self.others:.2g} of {self.cpus} CPUs busy"
