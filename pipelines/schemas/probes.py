"""What is measured of all methods side by side."""

from collections.abc import Sequence
from statistics import fmean
from typing import Self

from pydantic import Field

from pipelines.schemas.evaluation import EvaluationRow
from pipelines.schemas.machine import Load
from pipelines.schemas.schema import Schema


class SamplerTiming(Schema):
    """One sampler of a method, timed in turn with all samplers of all methods."""

    solver: str = Field(description="the sampler in one word (SamplerSettings.label)")
    steps: int
    seconds: list[float] = Field(description="per image, in each round")


class Latency(Schema):
    """One image alone by one sampler, in turn with all others of all methods."""

    solver: str = Field(description="the sampler in one word (SamplerSettings.label)")
    steps: int
    nfe: int
    compiled: bool = Field(description="whether the network was called by torch.compile")
    seconds: list[float] = Field(description="of each image")

    @property
    def mean(self) -> float:
        """Seconds."""
        return fmean(self.seconds)


class Repetition(Schema):
    """One sampler drawn three times from the same noise: twice in a process, once in another."""

    solver: str
    steps: int
    bytes: int = Field(description="in one drawing")
    differing: int = Field(description="bytes in which the second or the third differs from the first, added up")


class Convergence(Schema):
    """How far samples of a few steps are from those of many, from the same noise."""

    steps: int
    distances: list[float] = Field(description="root mean square over the pixels in [-1, 1], image by image")


class Guided(Schema):
    """How well a scale of classifier-free guidance brings out the label that was asked for."""

    solver: str
    steps: int
    nfe: int
    scale: float
    recognised: list[float] = Field(
        description="share of images the classifier gives that label: in the sample set that the scale is chosen on, "
        "and, for the best scale and for none, in another"
    )

    def and_on(self, other: Self) -> Self:
        """With what was recognised in another set too."""
        return self.model_copy(update={"recognised": [*self.recognised, *other.recognised]})


def best_guidance(rows: Sequence[Guided]) -> Guided:
    """Chosen on the first set; of equals, the least guidance."""
    return max(rows, key=lambda one: (one.recognised[0], -one.scale))


class MethodProbe(Schema):
    """What was measured of one method beside the others. Only these times compare: they were taken in turn."""

    timings: list[SamplerTiming]
    one_at_a_time: list[float] = Field(description="seconds for one image alone, by DDIM with 10 evaluations")
    latency: list[Latency] = Field(
        default=[], description="the best sampler of each number of evaluations up to 10; empty in files of before"
    )
    repetitions: list[Repetition]
    convergence: list[Convergence]
    many: int = Field(default=1000, description="the steps that `convergence` compares with")
    straightness: list[float] = Field(description="fm.trajectories.straightness along the straight path, by image")
    pixels: list[list[float]] = Field(description="a few pixels of one image along the straight path, time by time")
    guidance: list[Guided] = Field(description="empty where the extractor is no classifier")
    step_seconds: list[float] = Field(description="of a training step, in each round")
    step_peak_bytes: list[int] = Field(description="the most that tensors held in training steps, in each round")

    def seconds_per_image(self, row: EvaluationRow) -> float | None:
        """By the sampler of a row, in batches; none where that sampler was not timed."""
        timed = [each.seconds for each in self.timings if (each.solver, each.steps) == (row.solver, row.steps)]
        return fmean(timed[0]) if timed else None

    @property
    def seconds_per_step(self) -> float:
        """Of training."""
        return fmean(self.step_seconds)


class ChangeOfPath(Schema):
    """A trained model by DDIM on its own path and by Euler's method on the straight one, in float64."""

    method: str
    steps: int
    differences: list[float] = Field(description="largest difference of a pixel in [-1, 1], image by image")


class ProbeLoads(Schema):
    """What else the machine did while the methods were timed in turn."""

    samplers: Load
    one_at_a_time: Load
    training_steps: Load


class Probes(Schema):
    """metrics/probes.json: what only methods side by side, in one go on one machine, can show."""

    device: str
    threads: int
    batch_size: int = Field(description="of the timed samplings")
    train_batch_size: int
    guidance_images: int = Field(description="in each of the sample sets of `guidance`")
    methods: dict[str, MethodProbe]
    change_of_path: ChangeOfPath | None = Field(description="none without a diffusion model to try it on")
    machine_load: ProbeLoads | None = Field(default=None, description="none in files of before it was recorded")
