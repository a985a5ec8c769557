"""What the comparison writes: the methods in a table, and the claims with their verdicts."""

from typing import Literal

from pydantic import Field

from pipelines.params import Roles
from pipelines.schemas.schema import Schema


class MethodSummary(Schema):
    """One method in metrics/summary.json, which `dvc metrics show` and `diff` print as one table."""

    solver: str = Field(description="the best at `nfe` evaluations")
    nfe: int
    distance: float
    best_distance: float = Field(description="over all rows")
    best_nfe: int
    seconds_per_image: float | None = Field(description="at `nfe` evaluations, the methods timed in turn")
    seconds_per_step: float = Field(description="of training, the methods timed in turn")
    peak_memory_bytes: int


Things = Literal["images", "samples"]
"""What is made, as people call it."""


def one_of(things: Things) -> str:
    """One of them, with its article.

    >>> one_of("images")
    'an image'
    """
    return {"images": "an image", "samples": "a sample"}[things]


Verdict = Literal["reproduced", "partly", "not_reproduced", "inconclusive", "not_measured"]


class Claim(Schema):
    """One claim about flow matching and what the measurement says of it."""

    id: str
    claim: str
    source_value: str
    measured: float | None
    low: float | None = Field(description="of the interval; none where it is open to this side: `high` is a bound")
    high: float | None = Field(description="as `low`; none of both where nothing can be said")
    unit: str
    better: Literal["up", "equal"]
    null: float | None = Field(description="the value that means no difference")
    threshold: float = Field(description="the source's value; for an equality the margin around null (or 0)")
    verdict: Verdict
    protocol: str
    note: str


class Comparison(Schema):
    """reports/comparison.json."""

    dataset: str
    extractor: str
    reference: str
    num_images: int
    num_sets: int
    floor: float
    codec_floor: float | None = Field(
        default=None, description="the same of test images that the codec has given back; none without latents"
    )
    metric: str
    nfe: int
    winner: str = Field(description="the method whose row at `nfe` evaluations is best by `metric`")
    data_md5: str
    things: Things = Field(default="images", description="what is made, as people call it")
    roles: Roles = Field(default=Roles(), description="that methods have in the claims; files of before had these")
    claims: list[Claim]

    @property
    def thing(self) -> str:
        """One of them, with its article."""
        return one_of(self.things)
