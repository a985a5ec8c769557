"""Bringing fields and volumes to another number of points, axis by axis."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Axis(NamedTuple):
    """Where new points lie along an axis of old ones, the first of which is at 0 and the next at 1.

    Attributes:
        points: how many there are.
        first: where the first of them lies.
        step: from one to the next.

    >>> over(12, 4)
    Axis(points=4, first=1.0, step=3.0)
    """

    points: int
    first: float
    step: float


def over(length: int, count: int) -> Axis:
    """So many points that share the whole of `length` old ones evenly."""
    step = length / count
    return Axis(count, (step - 1) / 2, step)


def around_the_middle(length: int, count: int, step: float) -> Axis:
    """So many points with this step, whose middle is that of `length` old ones; some may lie outside of them.

    >>> around_the_middle(4, 2, step=1.0)
    Axis(points=2, first=1.0, step=1.0)
    """
    return Axis(count, (length - 1) / 2 - (count - 1) / 2 * step, step)


def resampled(
    values: NDArray[np.floating], axes: Sequence[Axis], nearest: bool = False, outside: float = 0.0
) -> NDArray[np.float32]:
    """Values (*spatial) at new points, (*points).

    Between old points linearly; where new points are farther apart than old ones, the mean of what lies around each,
    by a triangle as wide as their step, so that nothing finer than they are is folded into them.

    Args:
        nearest: the old point nearest to each new one instead, as numbers that stand for classes want it.
        outside: the value of points that lie outside.

    >>> resampled(np.arange(6.0), [over(6, 3)], nearest=True)
    array([1., 3., 5.], dtype=float32)
    """
    made = values.astype(np.float32)
    for number, axis in enumerate(axes):
        weights, is_outside = shares(values.shape[number], axis, nearest)
        made = np.moveaxis(np.tensordot(weights, made, axes=(1, number)), 0, number)
        made[(slice(None),) * number + (is_outside,)] = outside
    return np.ascontiguousarray(made)


def shares(length: int, axis: Axis, nearest: bool) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How much each of `length` old points has of each new one, (points, length), and which new ones lie outside."""
    places = axis.first + axis.step * np.arange(axis.points)
    is_outside = (places < -0.5) | (places > length - 0.5)
    places = places.clip(0, length - 1)[:, np.newaxis]
    old = np.arange(length)
    if nearest:
        weights = (old == np.floor(places + 0.5)).astype(np.float64)
    else:
        weights = np.maximum(0, 1 - np.abs(old - places) / max(axis.step, 1))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), is_outside
