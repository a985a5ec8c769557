"""How far what a generator makes is from real data: independent sample sets, drawn and measured in the features of an
extractor, against the whole training split.

Every sampler of every generator is measured alike: noise, conditions and order of set number k are functions of the
plan's seed and k. Sets are drawn in chunks, of which only the features are kept; several processes can share them.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fm.generator import Generator
from fm.metrics.distances import (
    Moments,
    gaussian_distance,
    kernel_distance,
    mean_kernel_of_pairs,
    moments,
    precision_recall,
    pseudo_values,
)
from fm.metrics.intervals import Interval, mean_interval
from fm.metrics.measures import Described, Measures, together
from fm.work_queue import ALONE, Arrays, Workers

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

CONFIDENCE = 0.95
KERNEL_REFERENCE = 2000
MANIFOLD = 5  # neighbours that precision and recall look at; a set must have more
DESCRIBED = "described."
"""Before the names of what measures say of a chunk."""
REAL = (0, 1)  # beside the seed: the stream that takes real data (that of set k's conditions: k)


class Measuring(Protocol):
    """What an evaluation needs of an extractor (fm.metrics.extractors).

    >>> class RowMeans:
    ...     def features(self, data):
    ...         return data.mean(axis=(2, 3)).astype(np.float32)
    ...     def classify(self, data):
    ...         return None
    """

    def features(self, data: NDArray[Any]) -> Floats: ...

    def classify(self, data: NDArray[Any]) -> Labels | None: ...


@dataclass(frozen=True)
class Plan:
    """How much is drawn.

    Attributes:
        count: data in each sample set; more than the extractor has features.
        sets: independent sample sets, two at least, which give the intervals.
        seed: of noise, conditions and real data.
        batch_size: data that are drawn at once; a set's first chunk begins with it, whoever draws which.

    >>> Plan(count=1000).sets
    4
    """

    count: int
    sets: int = 4
    seed: int = 0
    batch_size: int = 200


@dataclass(frozen=True)
class Reference:
    """The real data, as every sampler of every generator is measured against them.

    Attributes:
        train_features: of the training split, float32 (N, D).
        train_subset: some of them in random order, for what costs the product of the counts.
        train_kernel: the kernel's mean over the pairs of those.
        floor: how far as many data of the test split are from the training split.

    >>> train, test = np.random.default_rng(0).normal(size=(2, 500, 4)).astype(np.float32)
    >>> Reference.of(train, test, Plan(count=100)).floor < 1
    True
    """

    train: Moments
    test: Moments
    train_features: Floats
    train_subset: Floats
    train_kernel: float
    floor: float

    @classmethod
    def of(cls, train: Floats, test: Floats, plan: Plan) -> Self:
        """From the features of the splits, (N, D) and (M, D). Raises ValueError where one is too small for them."""
        fitted = moments(train)
        random = np.random.default_rng([plan.seed, *REAL])
        floor = floor_of(test, fitted, plan, random)
        (subset,) = cut(train, min(KERNEL_REFERENCE, len(train)), 1, random)
        return cls(fitted, moments(test), train, subset, mean_kernel_of_pairs(subset), floor)


class Askable(Protocol):
    """What there is to ask for, datum by datum: an array, or what finds it where it is wanted.

    >>> asked: Askable = np.array(["cat", "dog"])
    >>> asked[np.array([1, 1])].tolist()
    ['dog', 'dog']
    """

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Conditions:
    """What the data of a split are under, in their order; sample sets ask for as much of each.

    Attributes:
        asked: N, as the generator's conditioner reads them; of some rows, an array.
        labels: int64 (N,), what an extractor that classifies is to see; none where it cannot.

    >>> Conditions(asked=np.array([0, 1, 1, 0])).asked.shape
    (4,)
    """

    asked: Askable
    labels: Labels | None = None


@dataclass(frozen=True)
class SampleSet:
    """One of the independent sample sets of a sampler.

    Attributes:
        described: what measures need to know of it; nothing without any.

    >>> SampleSet(np.zeros((100, 4), np.float32), recognised=0.9, nfe=10, seconds=2.0).nfe
    10
    """

    features: Floats
    recognised: float | None
    nfe: int
    seconds: float
    described: Described = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What was measured of one sampler; a list has a value for each sample set.

    Attributes:
        nfe: calls of the network for one datum.
        distances: Frechet distance to the training split.
        at_infinity: the same extrapolated to infinitely many data (fm.metrics.distances.distances_at_infinity).
        to_test: Frechet distance to the test split.
        kernels: kernel distance to the training split.
        precision, recall: of all sets together.
        overlaps: precision and recall of each set alone; empty where a set is too small for them.
        recognised: share of the data whose label the extractor sees; empty where it sees none.
        seconds: for one datum, of the one device that drew it.

    >>> lists = {name: [4.0, 5.0, 6.0] for name in ("distances", "at_infinity", "to_test", "kernels", "recognised")}
    >>> Measured(nfe=10, precision=0.8, recall=0.7, overlaps=[], seconds=0.1, **lists).distance.mean
    5.0
    """

    nfe: int
    distances: list[float]
    at_infinity: list[float]
    to_test: list[float]
    kernels: list[float]
    precision: float
    recall: float
    overlaps: list[tuple[float, float]]
    recognised: list[float]
    seconds: float

    @property
    def distance(self) -> Interval:
        return mean_interval(self.distances, CONFIDENCE)

    @property
    def kernel(self) -> Interval:
        return mean_interval(self.kernels, CONFIDENCE)


def measure(sets: Sequence[SampleSet], real: Reference) -> Measured:
    """Measure the independent sample sets of a sampler."""
    count, fitted = len(sets[0].features), [moments(one.features) for one in sets]
    most = len(real.train_subset)
    precision, recall = overlap(real.train_subset, np.concatenate([one.features[:most] for one in sets]))
    return Measured(
        nfe=sets[0].nfe,
        distances=[gaussian_distance(one, real.train) for one in fitted],
        at_infinity=pseudo_values([(count, one) for one in fitted], real.train),
        to_test=[gaussian_distance(one, real.test) for one in fitted],
        kernels=[kernel_distance(one.features, real.train_subset, real.train_kernel) for one in sets],
        precision=precision,
        recall=recall,
        overlaps=[overlap(real.train_subset, one.features) for one in sets if len(one.features) > MANIFOLD],
        recognised=[one.recognised for one in sets if one.recognised is not None],
        seconds=sum(one.seconds for one in sets) / (count * len(sets)),
    )


def draw(
    generator: Generator,
    extractor: Measuring,
    plan: Plan,
    conditions: Conditions | None = None,
    numbers: Sequence[int] | None = None,
    workers: Workers = ALONE,
    measures: Measures | None = None,
) -> list[SampleSet]:
    """Sample sets: noise, conditions and order of each are the same for every generator and sampler.

    Args:
        conditions: all there are in turn where none are given.
        numbers: of the sets; all of the plan by default.
        workers: who share the chunks. All of them call this alike, and the first one gets the sets, the others none.
        measures: what describes the data beside the extractor's features.
    """
    chosen = range(plan.sets) if numbers is None else numbers
    rows = {} if conditions is None else {number: rows_of(plan, number, len(conditions.asked)) for number in chosen}
    starts = range(0, plan.count, plan.batch_size)

    def chunk(place: tuple[int, int]) -> Arrays:
        number, start = place
        size = min(plan.batch_size, plan.count - start)
        asked: Sequence[Any] | None = None
        if conditions is not None:
            of_these = rows[number][start : start + size]
            asked = conditions.asked[of_these].tolist()
        began = time.perf_counter()
        x, nfe = generator.sample_float(size, plan.seed, asked, number * plan.count + start, size)
        seconds = time.perf_counter() - began
        made = generator.codec.decode(x)
        found = {"features": extractor.features(made), "nfe": np.array(nfe), "seconds": np.array(seconds)}
        if conditions is not None and conditions.labels is not None and (seen := extractor.classify(made)) is not None:
            found["recognised"] = seen == conditions.labels[of_these]
        if measures is not None:
            described = measures.describe(made, found.get("recognised"))
            found |= {DESCRIBED + name: values for name, values in described.items()}
        return found

    made = workers.map(chunk, [(number, start) for number in chosen for start in starts])
    return [joined(made[first : first + len(starts)]) for first in range(0, len(made), len(starts))]


def joined(chunks: Sequence[Arrays]) -> SampleSet:
    """The sample set that was drawn in these chunks."""
    recognised = [one["recognised"] for one in chunks if "recognised" in one]
    return SampleSet(
        features=np.concatenate([one["features"] for one in chunks]),
        recognised=float(np.concatenate(recognised).mean()) if recognised else None,
        nfe=chunks[-1]["nfe"].item(),
        seconds=sum(one["seconds"].item() for one in chunks),
        described=together([described_in(one) for one in chunks]),
    )


def described_in(chunk: Arrays) -> Mapping[str, NDArray[Any]]:
    return {name.removeprefix(DESCRIBED): one for name, one in chunk.items() if name.startswith(DESCRIBED)}


def rows_of(plan: Plan, number: int, count: int) -> NDArray[np.int64]:
    """Whose conditions, of `count` data, sample set `number` asks for: in random order, and again from the first."""
    return np.resize(np.random.default_rng([plan.seed, number]).permutation(count), plan.count)


def floor_of(test: Floats, train: Moments, plan: Plan, random: np.random.Generator) -> float:
    """How far as many data of a test split as a sample set has are from the training split, by the features of the one
    (M, D): the mean over as many sets as there are, at most the plan's. Raises ValueError where there is none."""
    parts = cut(test, plan.count, plan.sets, random)
    if not parts:
        raise ValueError(f"a test split of {len(test)} has no {plan.count} to be measured")
    return float(np.mean([gaussian_distance(moments(part), train) for part in parts]))


def cut(features: Floats, count: int, most: int, random: np.random.Generator) -> list[Floats]:
    """At most `most` disjoint sets of `count` rows, drawn at random: neighbours in a split are often of one class."""
    order = random.permutation(len(features))
    return [features[order[number * count : (number + 1) * count]] for number in range(min(most, len(order) // count))]


def overlap(real: Floats, generated: Floats) -> tuple[float, float]:
    """Precision and recall of as many data of each. Both are in random order, so the first are as good as any."""
    return precision_recall(real[: len(generated)], generated[: len(real)], MANIFOLD)
