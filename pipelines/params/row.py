"""A row of `methods`: what is trained, by which network, and how images are drawn from it."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_serializer,
    model_validator,
)

from fm import components
from fm.config import (
    MOST_STEPS,
    SamplerConfig,
    SamplerSettings,
    Steps,
)
from fm.errors import shown
from pipelines.params.codec import STARTS, in_starts
from pipelines.params.network import Network
from pipelines.params.objective import Objective, OtherObjective, by_its_name
from pipelines.params.section import Filled, Section

MOST_PAIRS = 10_000_000
FROM_DATA = "datum"
"""The source that is another datum."""
BEGINNINGS = ("start_from", "start")
"""The settings by which a row goes on from a trained network, and has no network of its own."""


class Sampler(SamplerSettings):
    steps: list[Steps] = Field(min_length=1)

    def evaluations(self) -> set[int]:
        """Numbers of calls of the network that its rows make; every one that can be where guidance or an adaptive
        solver decides as it goes."""
        solver = components.build("solver", self.solver)
        found: set[int] = set()
        for steps in self.steps:
            calls = solver.evaluations(steps)
            if calls is None:
                return set(range(1, MOST_STEPS))
            guided = range(calls, 2 * calls + 1) if self.guidance_interval != (0, 1) else [2 * calls]
            found.update([calls] if self.scale == 1 else guided)
        return found

    def each(self) -> list[SamplerConfig]:
        """One sampler for each number of steps."""
        return [SamplerConfig.model_validate({**self.model_dump(), "steps": steps}) for steps in self.steps]


def unclipped(samplers: Iterable[Sampler]) -> list[Sampler]:
    """The same where nothing bounds the data, so that `clip: codec` keeps them to nothing; each once."""
    found: dict[str, Sampler] = {}
    for one in samplers:
        solver = one.solver
        if isinstance(solver, dict) and solver.get("clip") == "codec":
            rest = {key: value for key, value in solver.items() if key != "clip"}
            solver = rest if len(rest) > 1 else rest["name"]
        plain = one.model_copy(update={"solver": solver})
        before = found.get(plain.label, plain).steps
        steps = [*before, *(each for each in plain.steps if each not in before)]
        found[plain.label] = plain.model_copy(update={"steps": steps})
    return list(found.values())


class Pairs(SamplerSettings):
    """Noise and what the network that a row starts from makes of it, which the row is trained on (fm.pairs)."""

    steps: Steps
    count: int = Field(gt=0, le=MOST_PAIRS, strict=True, description="how many; the training goes through them again")

    @model_validator(mode="after")
    def their_network_is_there_alone(self) -> "Pairs":
        if self.snapshot is not None:
            raise ValueError("pairs cannot be guided away from a snapshot: give guidance as a scale")
        return self

    @property
    def sampler(self) -> SamplerConfig:
        return SamplerConfig.model_validate(self.model_dump(exclude={"count"}))


class Method(Section):
    objective: Annotated[OtherObjective | Objective, WrapValidator(by_its_name)]
    network: Filled[Network] = Field(description="a network of its own; null: the one that all methods share")
    samplers: list[Sampler] = Field(min_length=1)
    start_from: str | None = Field(
        default=None, description="a folder below starts/ with a trained network that this one goes on from"
    )
    start: str | None = Field(default=None, description="another row, whose trained network this one goes on from")

    pairs: Pairs | None = Field(
        default=None, description="what it is trained on instead of the data: pairs that the network of `start` makes"
    )

    @model_validator(mode="after")
    def begins_with_noise(self) -> "Method":
        """Whoever samples a flow from another datum has to bring the data, which no stage does."""
        if components.parts(self.objective.source)[0] == FROM_DATA:
            raise ValueError(
                f"objective.source = {FROM_DATA}: the pipeline samples from noise alone; a flow from another datum is "
                "trained and sampled from Python: docs/beyond-pictures.md"
            )
        return self

    @model_validator(mode="after")
    def pairs_are_made_by_a_network(self) -> "Method":
        if self.pairs is not None and self.start is None:
            raise ValueError("pairs are made by another row's network: name it by start")
        return self

    @model_serializer(mode="wrap")
    def without_what_is_not_there(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A row that starts by itself says nothing of it, as rows did before any could do else."""
        content: dict[str, Any] = written(self)
        return {key: value for key, value in content.items() if key not in (*BEGINNINGS, "pairs") or value is not None}

    @field_validator("start_from")
    @classmethod
    def lies_where_dvc_looks(cls, folder: str | None) -> str | None:
        if folder is not None and not in_starts(folder):
            raise ValueError(
                f"{shown(folder)}: must be a folder below {STARTS}/, where DVC sees what is in it: copy it there, or "
                "link its files (cp -al)"
            )
        return folder

    @property
    def beginning(self) -> dict[str, str]:
        """What it goes on from, by the setting's name; nothing where it begins by itself."""
        return {key: value for key in BEGINNINGS if (value := getattr(self, key)) is not None}

    @property
    def guided(self) -> str | None:
        """The first of its settings that asks a network for what it says under no condition."""
        if any(sampler.by_no_condition for sampler in self.samplers):
            return "samplers"
        if self.objective.guided:
            return "objective"
        return "pairs" if self.pairs is not None and self.pairs.by_no_condition else None

    def each_sampler(self) -> list[SamplerConfig]:
        """Every sampler with each number of its steps, in the row's order."""
        return [each for sampler in self.samplers for each in sampler.each()]

    @field_validator("samplers")
    @classmethod
    def samplers_differ(cls, samplers: list[Sampler]) -> list[Sampler]:
        each = [(sampler.label, steps) for sampler in samplers for steps in sampler.steps]
        twice = next((one for one in each if each.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice[0]} with {twice[1]} steps is there twice")
        return samplers
