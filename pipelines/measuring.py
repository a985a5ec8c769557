"""What is measured of data that are no pictures beside distances (fm.metrics.measures), of real and of made ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fm.components import ANY
from fm.data.rows import Rows
from fm.evaluation import CONFIDENCE, Plan
from fm.metrics.intervals import mean_interval
from fm.metrics.measures import Described, Measures, some, together
from pipelines.params import Dataset
from pipelines.project import FEATURES
from pipelines.schemas.evaluation import Curve, CurveOfData, FigureOfData, FigureOfSets

MOST = 2000  # of a split
TOGETHER = 200


@dataclass(frozen=True)
class Protocol:
    """What is measured, and what of real data it is held against.

    Attributes:
        train, test: descriptions of both splits.
    """

    measures: Measures
    train: Described
    test: Described

    @classmethod
    def of(cls, dataset: Dataset, folder: Path = FEATURES) -> Self | None:
        """As stage features has described the real data; None where nothing is measured of them."""
        if (measures := measures_of(dataset)) is None:
            return None
        return cls(measures, *(dict(np.load(folder / file_of(split))) for split in ("train", "test")))

    def figures(self, described: Sequence[Described]) -> dict[str, FigureOfSets]:
        """Of these sets."""
        values = [self.measures.values(one, self.train) for one in described]
        return {one.name: of_sets([float(each[one.name]) for each in values]) for one in self.measures.told}

    def curves(self, described: Sequence[Described]) -> dict[str, Curve]:
        """The same, the means over these sets."""
        lines = [self.measures.lines(one, self.train) for one in described]
        return {one.name: written(np.mean([each[one.name] for each in lines], axis=0)) for one in self.measures.curves}

    def of_data(self, plan: Plan) -> tuple[list[FigureOfData], list[CurveOfData]]:
        """Of real data, by as many sets of the test split as there are, at most the plan's."""
        rows = np.random.default_rng(plan.seed).permutation(len(next(iter(self.test.values()))))
        sets = min(max(len(rows) // plan.count, 1), plan.sets)
        parts = [some(self.test, rows[number * plan.count : (number + 1) * plan.count]) for number in range(sets)]
        (train, test), curves = (self.figures(one) for one in ([self.train], parts)), self.curves(parts)
        figures = [
            FigureOfData(
                name=one.name,
                says=one.says,
                unit=one.unit,
                aim=one.aim,
                train=train[one.name].value,
                test=test[one.name],
            )
            for one in self.measures.told
        ]
        return figures, [
            CurveOfData(name=one.name, says=one.says, unit=one.unit, along=one.along, test=curves[one.name])
            for one in self.measures.curves
        ]


def measures_of(dataset: Dataset) -> Measures | None:
    choice = dataset.measures
    return None if choice is None else Measures.of(choice, ANY)


def describe_real(
    measures: Measures, rows: Rows, recognised: NDArray[np.bool_] | None, folder: Path, split: str
) -> None:
    """Write the description of a split, or of MOST of its data in random order, for Protocol.

    Args:
        recognised: whether the extractor sees each of them as what it is (N,), where it sees that.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST])
    parts = [chosen[first : first + TOGETHER] for first in range(0, len(chosen), TOGETHER)]
    described = together(
        [measures.describe(rows[part]["data"], None if recognised is None else recognised[part]) for part in parts]
    )
    np.savez(folder / file_of(split), **described)  # type: ignore[arg-type]


def file_of(split: str) -> str:
    return f"described_{split}.npz"


def of_sets(values: Sequence[float]) -> FigureOfSets:
    """A mean with its interval, of the sets that have something to say; an interval takes two.

    >>> of_sets([1.0, float("nan")])
    FigureOfSets(value=1.0, low=None, high=None, sets=[1.0, None])
    """
    there = [value for value in values if np.isfinite(value)]
    low, high = mean_interval(there, CONFIDENCE)[1:] if len(there) > 1 else (None, None)
    value = float(np.mean(there)) if there else None
    return FigureOfSets(value=value, low=low, high=high, sets=written(np.array(values)))


def written(values: NDArray[np.float64]) -> Curve:
    """As JSON has them: what is no number is null."""
    return [float(value) if np.isfinite(value) else None for value in values]
