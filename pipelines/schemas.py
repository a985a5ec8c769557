"""The files that stages exchange, written down once. Settings are in params.py."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from fm.config import SamplerConfig
from pipelines.project import whole_file

BUSY = 0.1
"""Share of a machine's CPUs; where other work takes more, no absolute time is judged."""


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def save(self, path: Path) -> None:
        with whole_file(path) as partial:
            partial.write_text(
                json.dumps(self.model_dump(mode="json"), indent=2, allow_nan=False) + "\n", encoding="utf-8"
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls.model_validate_json(path.read_text(encoding="utf-8"))


class SkippedFile(Schema):
    file: str
    reason: str


class Same(Schema):
    """Two files, or images by number, that are the same pixel for pixel."""

    train: str
    test: str


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


class LabelCount(Schema):
    """How many images of a label there are in each split."""

    label: str
    train: int
    test: int


class LeftOutFiles(Schema):
    """Files that are no images: how many of a kind, and in which sub-folder (`.` for the folder itself)."""

    place: str
    kind: str = Field(description="their suffix, or what they are: hidden, in a folder that a tool left")
    files: int


class ImagesElsewhere(Schema):
    """Images that links in a sub-folder lead to outside of dataset.path."""

    place: str
    target: str = Field(description="the folder that all of them lie in")
    images: int
    by_folder: bool = Field(description="by a link to a folder, behind which DVC does not look")


class PrepareMetrics(Schema):
    """metrics/prepare.json: what the dataset has become."""

    train_images: int
    test_images: int
    labels: int
    num_skipped: int = Field(description="files that cannot be used (dataset.on_bad_image)")
    num_in_both_splits: int = Field(description="images of the test split that are in the training split too")
    num_left_out: int = Field(default=0, description="files in dataset.path that are no images")
    num_elsewhere: int = Field(default=0, description="images that links lead to outside of dataset.path")
    skipped: list[SkippedFile]
    in_both_splits: list[Same]
    by_label: list[LabelCount] = Field(default=[], description="empty without labels")
    left_out: list[LeftOutFiles] = []
    elsewhere: list[ImagesElsewhere] = []
    warnings: list[str] = Field(default=[], description="what may not be as it was meant")


class FeatureMetrics(Schema):
    """metrics/features.json: the extractor that everything is measured with."""

    extractor: str
    dimensions: int
    test_accuracy: float | None = Field(description="share of the test split it labels rightly; none without labels")
    seconds: float
    machine_load: Load | None = Field(default=None, description="meanwhile; none in files of before it was recorded")


class TrainMetrics(Schema):
    """metrics/train/<method>.json."""

    images_seen: int
    steps: int
    seconds: float = Field(description="spent training, over all resumptions")
    images_per_second: float
    peak_memory_bytes: int = Field(description="device memory on a GPU, resident set on a CPU")
    final_loss: float = Field(description="mean over the last tenth of training")
    parameters: int
    flops: int = Field(description="of one call of the network for one image (fm.networks.flops)")
    resumed: int = Field(description="times the training was resumed")
    machine_load: Load | None = Field(default=None, description="since it was resumed last; none in files of before")


class EvaluationRow(Schema):
    """One sampler of one method. Distances are means over independent sample sets."""

    solver: str = Field(description="the sampler in one word (SamplerSettings.label)")
    steps: int
    sampler: SamplerConfig = Field(description="the sampler in full")
    nfe: int = Field(description="calls of the network for one image, counted as they happened")
    distance: float = Field(description="Frechet distance to the training split")
    distance_low: float
    distance_high: float
    distance_test: float = Field(description="Frechet distance to the test split")
    distance_sets: list[float] = Field(description="the distance of each set, index-aligned over all methods")
    distance_limit_sets: list[float] = Field(
        description="the same extrapolated to infinitely many images, in values that scatter as the sets do"
    )
    kid: float
    kid_low: float
    kid_high: float
    precision: float
    recall: float
    accuracy: float | None = Field(description="share of images the classifier gives the label asked for")
    # By set as `distance_sets`, for the gate; empty in files of before, and accuracy's where there is none.
    distance_test_sets: list[float] = []
    kid_sets: list[float] = []
    precision_sets: list[float] = Field(default=[], description="of the set's images alone, as recall_sets")
    recall_sets: list[float] = []
    accuracy_sets: list[float] = []
    seconds_per_image: float
    machine_load: Load | None = Field(default=None, description="while it was measured; none in files of before")


DISTANCE_FIELDS = [name for name in EvaluationRow.model_fields if name.startswith("distance")]


def distance_key(extractor: str) -> str:
    """The name of a Frechet distance: `fid` is Inception's alone, any other is named after its extractor."""
    return "fid" if extractor == "inception" else f"fid_{extractor}"


def deciding_metrics(extractor: str) -> list[str]:
    """What a champion can be chosen by: all that is measured in each sample set."""
    names = EvaluationRow.model_fields
    key = distance_key(extractor)
    return [name.replace("distance", key, 1) for name in names if f"{name}_sets" in names]


class Snapshot(Schema):
    """A method's network before its training was over, by the sampler that is best for the finished one."""

    images_seen: int
    distance: float
    distance_sets: list[float]
    distance_limit_sets: list[float]


class Evaluation(Schema):
    """metrics/evaluate/<method>.json. On disk `distance` is called after its extractor (distance_key)."""

    extractor: str
    reference: str = Field(description="what the distance is measured to")
    num_images: int = Field(description="images in each sample set")
    num_sets: int = Field(description="independent sample sets, which give the intervals")
    confidence: float = Field(description="of the intervals: Student's t over the sets")
    seed: int | None = Field(default=None, description="of noise, labels and real images; none in older files")
    extrapolation: Literal["jackknife", "halves"] = Field(
        default="halves", description="how distance_limit_sets came about: over the sets, or in older files within each"
    )
    floor: float = Field(description="the same distance of the test split, at num_images")
    rows: list[EvaluationRow]
    along: list[Snapshot] = Field(description="the way there, the finished network last; empty without train.snapshots")

    def save(self, path: Path) -> None:
        content = self.model_dump(mode="json")
        for part in ("rows", "along"):
            content[part] = [self.row_on_disk(row) for row in getattr(self, part)]
        with whole_file(path) as partial:
            partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def row_on_disk(self, row: EvaluationRow | Snapshot) -> dict[str, Any]:
        key = distance_key(self.extractor)
        return {
            name.replace("distance", key, 1) if name in DISTANCE_FIELDS else name: value
            for name, value in row.model_dump(mode="json").items()
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        content = json.loads(path.read_text(encoding="utf-8"))
        key = distance_key(content["extractor"])
        on_disk = {name.replace("distance", key, 1): name for name in DISTANCE_FIELDS}
        for part in ("rows", "along"):
            content[part] = [{on_disk.get(name, name): value for name, value in row.items()} for row in content[part]]
        return cls.model_validate(content)

    def sets(self, row: EvaluationRow, metric: str) -> list[float]:
        """The value of `metric` in each sample set of `row`; empty if it isn't measured by set."""
        found: list[float] = self.row_on_disk(row).get(f"{metric}_sets", [])
        return found

    def best(self, metric: str, nfe: int | None = None) -> EvaluationRow:
        """The row that is best by `metric`, among those with `nfe` evaluations if given.

        Raises:
            LookupError: no row has that number of evaluations.
        """
        rows = [row for row in self.rows if nfe is None or row.nfe == nfe]
        if not rows:
            have = sorted({row.nfe for row in self.rows})
            raise LookupError(f"no row with {nfe} evaluations; there are rows with {have}")
        return min(rows, key=lambda row: self.cost(row, metric))

    def cost(self, row: EvaluationRow, metric: str) -> float:
        """The value of `metric` in `row`, turned so that lower is better.

        Raises:
            LookupError: this evaluation has no such metric.
        """
        values = self.row_on_disk(row)
        if not isinstance(values.get(metric), (int, float)):
            raise LookupError(f"register.metric {metric!r} is not measured with extractor {self.extractor!r}")
        value = float(values[metric])
        return -value if metric in HIGHER_IS_BETTER else value


class SamplerTiming(Schema):
    """One sampler of a method, timed in turn with all samplers of all methods."""

    solver: str = Field(description="the sampler in one word (SamplerSettings.label)")
    steps: int
    seconds: list[float] = Field(description="per image, in each round")


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
    recognised: list[float] = Field(description="share of images the classifier gives that label, in each sample set")


class MethodProbe(Schema):
    """What was measured of one method beside the others. Only these times compare: they were taken in turn."""

    timings: list[SamplerTiming]
    one_at_a_time: list[float] = Field(description="seconds for one image alone, by DDIM with 10 evaluations")
    repetitions: list[Repetition]
    convergence: list[Convergence]
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


HIGHER_IS_BETTER = {"precision", "recall", "accuracy"}

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
    metric: str
    nfe: int
    winner: str = Field(description="the method whose row at `nfe` evaluations is best by `metric`")
    data_md5: str
    claims: list[Claim]
