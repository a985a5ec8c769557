"""How well a generator completes data of which a part is given (fm.conditions.given): ensembles for some data of a test
split, held against what really is there, where nothing was given.

All numbers are as modelled, in deviations of the data, so that the channels of a field count alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm.conditions.given import GIVEN, Given, Whole
from fm.data.rows import Rows, evenly
from fm.generator import Generator
from fm.metrics.ensembles import crps, rank_histogram
from fm.work_queue import ALONE, Arrays, Workers

DATA = 32
"""Data of the test split that are completed."""
MEMBERS = 8
"""Samples that each of them is completed by."""
FIRST = 10**9
"""Number of the first of these samples: their noise is no sample set's."""


@dataclass(frozen=True)
class Completed:
    """What was measured, datum by datum.

    Attributes:
        nfe: calls of the network for one sample.
        crps: continuous ranked probability score, a mean over the datum's numbers.
        unconditional: the same of as many training data, which know nothing of the datum.
        spread: the members' variance, a mean over the datum's numbers, as a new member would have it.
        error: squared, of the members' mean.
        ranks: how many of the datum's numbers have how many members below, (data, members + 1).

    >>> one = Completed(nfe=10, crps=[0.1], unconditional=[0.5], spread=[0.04], error=[0.16], ranks=np.ones((1, 9)))
    >>> one.spread_by_error
    0.5
    """

    nfe: int
    crps: list[float]
    unconditional: list[float]
    spread: list[float]
    error: list[float]
    ranks: NDArray[np.float64]

    @property
    def spread_by_error(self) -> float:
        """As fm.metrics.ensembles.spread_by_error has it, of all data together."""
        return float(np.sqrt(np.mean(self.spread) / np.mean(self.error)))


def is_given_a_part(generator: Generator) -> bool:
    return GIVEN in generator.conditioner.fields


def examples(test: Rows, count: int = DATA) -> list[Whole]:
    """Data spread over a split, to be asked for as they are in training."""
    rows = evenly(len(test), count)
    data = test[rows]["data"]
    return [Whole(datum, int(row)) for datum, row in zip(data, rows, strict=True)]


def complete(generator: Generator, train: Rows, test: Rows, seed: int, workers: Workers = ALONE) -> Completed:
    """By the generator's own sampler; all workers call this alike, and the first one gets what was measured.

    Data of which everything is given say nothing, and are left out.

    Args:
        generator: one whose network is given a part of the data, and nothing else.
    """
    wholes = [whole for whole in examples(test) if unknown_points(generator, whole).any()]
    others = train[np.random.default_rng([seed, FIRST]).permutation(len(train))[:MEMBERS]]["data"]
    unconditional = as_modelled(generator, others)

    def one(place: int) -> Arrays:
        whole = wholes[place]
        asked = [whole] * MEMBERS
        x, nfe = generator.sample_float(MEMBERS, seed, asked, FIRST + place * MEMBERS, MEMBERS)
        made = as_modelled(generator, generator.codec.decode(x))  # clipped and rounded, as data are
        unknown = unknown_points(generator, whole)
        truth = as_modelled(generator, whole.stored[np.newaxis])[0][..., unknown]
        return {"nfe": np.array(nfe), **measured(made[..., unknown], unconditional[..., unknown], truth)}

    return together(workers.map(one, range(len(wholes))))


def unknown_points(generator: Generator, whole: Whole) -> NDArray[np.bool_]:
    """Where a datum is not known, bool (*spatial): everywhere, where what is given are no values of its own."""
    conditioner = generator.conditioner
    there: NDArray[np.bool_] = conditioner.read([whole])[GIVEN][0, -1].bool().numpy()
    return ~there if isinstance(conditioner, Given) and conditioner.exact else np.ones_like(there)


def as_modelled(generator: Generator, stored: NDArray[Any]) -> NDArray[np.float64]:
    """In deviations of the data, (B, C, *spatial)."""
    encoded: NDArray[np.float64] = generator.codec.encode(stored).cpu().double().numpy()
    return encoded / generator.codec.scale


def measured(
    made: NDArray[np.float64], unconditional: NDArray[np.float64], truth: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Of one datum: members (M, ...), as many that know nothing of it, and what it is (...)."""
    mean = made.mean(axis=0)
    return {
        "crps": crps(made, truth).mean(),
        "unconditional": crps(unconditional, truth).mean(),
        "spread": made.var(axis=0, ddof=1).mean() * (1 + 1 / len(made)),
        "error": np.square(mean - truth).mean(),
        "ranks": rank_histogram(made, truth),
    }


def together(found: Sequence[Arrays]) -> Completed:
    lists = {name: [float(one[name]) for one in found] for name in ("crps", "unconditional", "spread", "error")}
    ranks = np.stack([one["ranks"] for one in found]) if found else np.zeros((0, MEMBERS + 1))
    return Completed(nfe=int(found[0]["nfe"]) if found else 0, ranks=ranks, **lists)
