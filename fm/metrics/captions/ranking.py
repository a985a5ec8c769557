"""Whether a model prefers the right caption of a datum, by its own loss: no other network has a say in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fm.change_of_path import matching_time
from fm.field import Field
from fm.generator import Generator
from fm.noise import Draws, Purpose
from fm.paths import CondOT, like
from fm.precision import evaluating

POINTS = 8
"""Noises and times that a loss is averaged over."""


@torch.no_grad()
def losses(
    generator: Generator,
    data: NDArray[Any],
    candidates: Sequence[Sequence[Any]],
    seed: int,
    points: int = POINTS,
    batch_size: int = 200,
    first_index: int = 0,
) -> NDArray[np.float64]:
    """How badly a generator predicts data under each of several conditions, without guidance: the squared error of what
    its network is trained for, averaged over noises and times (Li et al. 2023, arXiv 2303.16203, algorithm 1).

    Noises and times are the same under all conditions. The times are those at which a generator's own path is as noisy
    as the straight one is at evenly spaced times: so generators of all paths are asked at the same levels of noise.

    Args:
        data: (N, *stored).
        candidates: K of them, each what all of the data are held to be under, N entries as the conditioner reads them.
        seed: of the noise; datum i has that of number first_index + i.

    Returns:
        (N, K), lower for what the generator holds to be likelier.
    """
    parts = [slice(start, start + batch_size) for start in range(0, len(data), batch_size)]
    return np.concatenate(
        [
            losses_of_batch(
                generator,
                generator.codec.encode(data[part]).to(generator.device),
                [each[part] for each in candidates],
                Draws(seed, range(first_index + part.start, first_index + part.start + len(data[part]))),
                points,
            )
            for part in parts
        ]
    )


def losses_of_batch(
    generator: Generator, x1: Tensor, candidates: Sequence[Sequence[Any]], draws: Draws, points: int
) -> NDArray[np.float64]:
    path, target, device = generator.path, generator.target, generator.device
    fields = [Field(generator.network, path, target, generator.condition(each)) for each in candidates]
    fresh = draws.to(device).successive(generator.shape, Purpose.RANKING)
    total = torch.zeros(len(x1), len(fields), dtype=torch.float64)
    for time in times(generator, points):
        t = time.to(x1).expand(len(x1))
        point = path.sample(fresh(), x1, t)
        a, b = target.mixture(path, like(t, x1))
        for number, field in enumerate(fields):
            with evaluating(generator.precision, device):
                ends = field.ends(point.x_t, t)
            # Of what the network says, whatever that is: data and noise are both off where it is.
            error = a * (ends.x1 - point.x1) + b * (ends.x0 - point.x0)
            total[:, number] += error.square().flatten(1).mean(dim=1).double().cpu()
    return (total / points).numpy()


def times(generator: Generator, points: int) -> Tensor:
    """The middles of so many equal parts of the straight path, as times of the generator's own; float64 (points,)."""
    middles = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    return matching_time(CondOT(), generator.path, middles).clamp(*generator.path.interval)


def ranked_right(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whether the first candidate has a lower loss than each of the others, (N, K) -> (N, K - 1): 1 or 0, and a half
    where both are equal, as they are for a network that does not look at its condition.

    >>> ranked_right(np.array([[0.1, 0.2, 0.1], [0.3, 0.2, 0.4]]))
    array([[1. , 0.5],
           [0. , 1. ]])
    """
    right, others = found[:, :1], found[:, 1:]
    return np.where(right == others, 0.5, right < others)


def another(texts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """For each text the number of another one: in a random order the next that is not the same, int64 (N,).

    >>> another(["a red shoe", "a shoe", "a hat"], seed=0)
    array([1, 2, 0])

    Raises:
        ValueError: all texts are the same.
    """
    if len(set(texts)) < 2:
        raise ValueError("where all texts are the same, none is another")
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    found = np.empty(len(texts), dtype=np.int64)
    for step, place in enumerate(order):
        later = (order[(step + further) % len(order)] for further in range(1, len(order)))
        found[place] = next(number for number in later if texts[number] != texts[place])
    return found
