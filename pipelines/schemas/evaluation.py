"""What an evaluation writes: how far a method's samples are from the data, sampler by sampler."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from fm.config import SamplerConfig
from fm.precision import Precision
from pipelines.project import whole_file
from pipelines.schemas.machine import Load
from pipelines.schemas.schema import Schema


class FigureOfSets(Schema):
    """A figure of a sampler's sample sets; null where there is nothing to say."""

    value: float | None = Field(description="the mean over the sets")
    low: float | None
    high: float | None
    sets: list[float | None]


Curve = list[float | None]


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
    distance_infinity_sets: list[float] = Field(
        description="the same extrapolated to infinitely many images, in values that scatter as the sets do"
    )
    kid: float
    kid_low: float
    kid_high: float
    precision: float
    recall: float
    accuracy: float | None = Field(description="share of images the classifier gives the label asked for")
    # By set as `distance_sets`, for the gate; empty in files of before, and accuracy's where there is none.
    distance_test_sets: list[float] = Field(default=[])
    kid_sets: list[float] = Field(default=[])
    precision_sets: list[float] = Field(default=[], description="of the set's images alone, as recall_sets")
    recall_sets: list[float] = Field(default=[])
    accuracy_sets: list[float] = Field(default=[])
    figures: dict[str, FigureOfSets] = Field(default={}, description="by the names of Evaluation.figures")
    curves: dict[str, Curve] = Field(default={}, description="by the names of Evaluation.curves, means over the sets")
    seconds_per_image: float = Field(description="of the one device that drew it")
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
    distance_infinity_sets: list[float]


class AtLength(Schema):
    """A method's finished training, its weights averaged at one length."""

    length: float = Field(description="of the average, as a share of the training (fm.averaging)")
    distance: float
    distance_sets: list[float]


class Lengths(Schema):
    """A method at several lengths of averaging, by the sampler that is best for its own average."""

    sampler: SamplerConfig
    tried: list[AtLength]
    best: float = Field(description="the length at which it is closest to the data")
    distance: float = Field(description="there; each set is read at the length that is best by the other sets")
    distance_low: float
    distance_high: float
    distance_sets: list[float]
    untuned: float = Field(description="with the average of train.ema_decay")


class FigureOfData(Schema):
    """What is measured of the data themselves (fm.metrics.measures), and what it is of real ones."""

    name: str
    says: str
    unit: str
    aim: Literal["low", "high", "data"] = Field(description="what is right: little, much, or what the data have")
    train: float | None = Field(description="of the training split")
    test: FigureOfSets = Field(description="of as many data of the test split as a sample set has")


class CurveOfData(Schema):
    """The same number by number from 1 on, as an error by wave number."""

    name: str
    says: str
    unit: str
    along: str
    test: Curve


class CaptionFigure(Schema):
    """A share of data that is right by their captions (fm.metrics.captions.following)."""

    kind: Literal["ranking", "retrieval", "attribute", "clip"]
    what: str = Field(description="what else the caption is ranked against; first of how many; the attribute's field")
    of: Literal["held out", "seen"] = Field(description="data of the test split, or ones that were trained on")
    share: float = Field(description="of clip: the mean cosine")
    share_low: float
    share_high: float
    share_sets: list[float] = Field(description="of sets of data, index-aligned over all methods")
    floor: float = Field(description="where captions are shuffled")
    ceiling: float = Field(description="of real images")
    count: int = Field(description="data in all sets together")


class Following(Schema):
    """How far a method follows captions, by the sampler that is best with the evaluations that decide."""

    sampler: SamplerConfig
    nfe: int
    figures: list[CaptionFigure]

    def find(self, kind: str, of: str = "held out") -> list[CaptionFigure]:
        return [one for one in self.figures if (one.kind, one.of) == (kind, of)]


class Completion(Schema):
    """How a method completes test data of which a part is given, an ensemble each, by the sampler that is best with the
    evaluations that decide; in deviations of the data (fm.metrics.completing)."""

    sampler: SamplerConfig
    nfe: int
    part: str = Field(description="what is given")
    data: int = Field(description="that are completed")
    members: int = Field(description="samples that each is completed by")
    crps: float = Field(description="continuous ranked probability score, where nothing is given")
    crps_low: float
    crps_high: float
    crps_each: list[float] = Field(description="datum by datum, index-aligned over all methods")
    unconditional: float = Field(description="the same of as many training data instead")
    spread_by_error: float = Field(description="1 where the truth could be a member, below it where too sure")
    ranks: list[float] = Field(description="the shares of numbers that have so many members below them")
    unevenness: float = Field(description="the share of them that lies where it would not in a flat histogram")


class Evaluation(Schema):
    """metrics/evaluate/<method>.json. On disk `distance` is called after its extractor (distance_key)."""

    extractor: str
    reference: str = Field(description="what the distance is measured to")
    num_images: int = Field(description="images in each sample set")
    num_sets: int = Field(description="independent sample sets, which give the intervals")
    confidence: float = Field(description="of the intervals: Student's t over the sets")
    seed: int | None = Field(default=None, description="of noise, labels and real images; none in older files")
    precision: Precision = Field(default="float32", description="of the network's products while it sampled")
    extrapolation: Literal["jackknife", "halves"] = Field(
        default="halves",
        description="how distance_infinity_sets came about: over the sets, or in older files within each",
    )
    floor: float = Field(description="the same distance of the test split, at num_images")
    rows: list[EvaluationRow]
    along: list[Snapshot] = Field(description="the way there, the finished network last; empty without train.snapshots")
    lengths: Lengths | None = Field(default=None, description="none without train.average_lengths")
    captions: Following | None = Field(default=None, description="none where networks are told none")
    completion: Completion | None = Field(default=None, description="none where no part of the data is given")
    figures: list[FigureOfData] = Field(default=[], description="what is measured of the data themselves")
    curves: list[CurveOfData] = Field(default=[])

    def save(self, path: Path) -> None:
        content = self.model_dump(mode="json")
        for part in ("rows", "along"):
            content[part] = [self.row_on_disk(row) for row in getattr(self, part)]
        for part in ("captions", "completion", "figures", "curves"):  # which files of before have not
            if not content[part]:
                del content[part]
        if self.lengths is None:
            del content["lengths"]  # nor this
        else:
            content["lengths"] = self.row_on_disk(self.lengths)
            content["lengths"]["tried"] = [self.row_on_disk(one) for one in self.lengths.tried]
        with whole_file(path) as partial:
            partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def row_on_disk(self, row: EvaluationRow | Snapshot | AtLength | Lengths) -> dict[str, Any]:
        key = distance_key(self.extractor)
        return {
            name.replace("distance", key, 1) if name in DISTANCE_FIELDS else name: value
            for name, value in row.model_dump(mode="json").items()
            if value or name not in ("figures", "curves")  # which there are of few data sets
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        content = json.loads(path.read_text(encoding="utf-8"))
        key = distance_key(content["extractor"])
        on_disk = {name.replace("distance", key, 1): name for name in DISTANCE_FIELDS}
        on_disk[f"{key}_limit_sets"] = "distance_infinity_sets"  # as files of before call it

        def read(row: dict[str, Any]) -> dict[str, Any]:
            return {on_disk.get(name, name): value for name, value in row.items()}

        for part in ("rows", "along"):
            content[part] = [read(row) for row in content[part]]
        if (lengths := content.get("lengths")) is not None:
            content["lengths"] = read(lengths) | {"tried": [read(one) for one in lengths["tried"]]}
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
        return turned(float(values[metric]), metric)

    def costs(self, row: EvaluationRow, metric: str) -> list[float]:
        """The same in each sample set; where it isn't measured by set, that of all in each.

        Raises:
            LookupError: as `cost`.
        """
        whole = self.cost(row, metric)
        return [turned(value, metric) for value in self.sets(row, metric)] or [whole] * len(row.distance_sets)


HIGHER_IS_BETTER = {"precision", "recall", "accuracy"}


def turned(value: float, metric: str) -> float:
    """So that lower is better."""
    return -value if metric in HIGHER_IS_BETTER else value
