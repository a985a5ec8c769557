"""Parts of the datum itself as a condition: first frames, to predict the others; low resolution, to refine it; what was
observed at some points, to fill in the rest.

What a network is told is a map over the datum's own grid, `given`: C channels with what is given, as modelled, and
zeros where nothing is; and one channel more that is 1 where something is given, 0 elsewhere. "No condition" is zeros
throughout. So nothing lies beside the data: the map is made of them when a network is trained, and of what people bring
when it is asked.

Source: Ho et al. 2022, arXiv 2204.03458 (frames); Saharia et al. 2021, arXiv 2104.07636 (low resolution, concatenated);
Saharia et al. 2021, arXiv 2111.05826 (what is to be filled in)
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fm.components import option
from fm.conditions.conditioner import Condition, Conditioner, Map, Spec, Unconditional
from fm.errors import shown
from fm.lazy import torch
from fm.noise import Draws, Purpose

if TYPE_CHECKING:
    from torch import Tensor

    from fm.codecs import Codec

GIVEN = "given"
NOTHING = Unconditional()


@dataclass(frozen=True, eq=False)
class Whole:
    """A whole datum, to be asked for as one is in training: the part that is given of it is taken from it.

    Attributes:
        stored: (*stored), as the codec stores data.
        number: by which the part is drawn, where it is drawn.

    >>> Whole(np.zeros((1, 3)), number=7).number
    7
    """

    stored: NDArray[Any]
    number: int


class Given(Conditioner, ABC):
    """Data of which a part is given; a class of this kind says which.

    One is asked for as a datum as it is stored, an array of which no other part is looked at, or as a Whole one; where
    data are under something else too, as (that, datum). None is "nothing is given".

    Attributes:
        shape: (C, *spatial) of the data as modelled.
        beside: what else they are under, a label for instance.
        exact: whether what is given are values of the datum, which need not be predicted any more.

    >>> from fm.codecs import Standardised
    >>> frames = FirstFrames(shape=(1, 3, 2, 2), count=1).for_codec(Standardised((1, 3, 2, 2)))
    >>> frames.read([np.full((1, 3, 2, 2), 5.0, np.float32)])["given"][0, :, :, 0, 0]
    tensor([[5., 0., 0.],
            [1., 0., 0.]])
    """

    exact: ClassVar[bool] = True
    shape: tuple[int, ...] = option(least=1, length=(1, 16), says="(C, *spatial) of the data as modelled")
    beside: Conditioner = option(NOTHING, says="what else the data are under")
    codec: Any = field(default=None, init=False, repr=False, compare=False)

    def check(self) -> None:
        if len(self.shape) < 2:
            raise ValueError(f"shape {self.shape}: data without an axis have no part to be given")
        if GIVEN in self.beside.fields:
            raise ValueError("beside: data of which a part is given are under that part once")

    @abstractmethod
    def part(self, x: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Of data as modelled (B, C, *spatial): what is given, like them, and where, (B, 1, *spatial), true or false;
        what is given elsewhere is left out."""

    @property
    def fields(self) -> Mapping[str, Spec]:
        return {**self.beside.fields, GIVEN: Map(self.shape[0] + 1)}

    @property
    def beside_data(self) -> Mapping[str, Spec]:
        return self.beside.fields

    @property
    def meaning(self) -> tuple[str, ...]:
        return self.beside.meaning

    def for_codec(self, codec: Codec) -> Self:
        other = copy.copy(self)
        object.__setattr__(other, "codec", codec)
        object.__setattr__(other, "beside", self.beside.for_codec(codec))
        return other

    def of_data(self, x: Tensor, draws: Draws) -> Condition:
        return {**self.beside.of_data(x, draws), GIVEN: told(*self.part(x, draws))}

    def read(self, asked: abc.Sequence[Any]) -> Condition:
        """Raises ValueError: no datum of the data's shape."""
        pairs = [self._pair(one) for one in asked]
        maps = torch.cat([self._given(datum) for _, datum in pairs])
        return {**self.beside.read([other for other, _ in pairs]), GIVEN: maps}

    def null(self, like: Condition) -> Condition:
        return {**self.beside.null(like), GIVEN: torch.zeros_like(like[GIVEN])}

    def in_turn(self, count: int, first: int = 0) -> abc.Sequence[Any]:
        """Nothing is given."""
        others = self.beside.in_turn(count, first)
        return [(other, None) for other in others] if self.beside.fields else [None] * count

    def called(self, asked: Any) -> str:
        other, datum = self._pair(asked)
        if datum is not None and not isinstance(datum, Whole):
            numbers(datum)
        what = self.name if datum is not None else "nothing given"
        return f"{self.beside.called(other)}, {what}" if self.beside.fields else what

    def _pair(self, asked: Any) -> tuple[Any, Any]:
        """What it is under, and the datum."""
        if asked is None:
            return None, None
        if not self.beside.fields:
            return None, asked
        if not isinstance(asked, tuple) or len(asked) != 2:
            raise ValueError(f"must be asked for as ({self.beside.name}, a datum), or as None")
        return asked

    def _given(self, datum: Any) -> Tensor:
        """(1, C + 1, *spatial) of what is asked for."""
        if datum is None:
            return torch.zeros(1, self.shape[0] + 1, *self.shape[1:])
        if isinstance(datum, Whole):
            return told(*self.part(self._encoded(datum.stored), Draws(0, [datum.number])))
        return self._map(datum)

    def _map(self, datum: Any) -> Tensor:
        """The same of one datum as stored."""
        values, known = self._known(datum)
        part, there = self.part(values, Draws(0, [0]))
        if (there.bool() & ~known).any():
            raise ValueError(f"what is given must have numbers wherever {self.name} looks, and some are NaN")
        return told(part, there)

    def _known(self, datum: Any) -> tuple[Tensor, Tensor]:
        """One datum as modelled (1, *shape), zeros stored where it has no numbers; and (1, 1, *spatial), true where all
        its channels have some."""
        array = numbers(datum)
        missing = np.ma.getmaskarray(array) | ~np.isfinite(array.filled(0))
        values = self._encoded(np.where(missing, 0, array.filled(0)))
        return values, self._ones(~missing).all(dim=1, keepdim=True)

    def _ones(self, where: NDArray[np.bool_]) -> Tensor:
        """The same as modelled, (1, C, *spatial): where the largest number would be another value than 0."""
        dtype = np.dtype(self.codec.dtype)
        largest = (np.iinfo if dtype.kind in "iu" else np.finfo)(dtype).max
        return self._encoded(np.where(where, largest, 0)) != self._encoded(np.zeros_like(where))

    def _encoded(self, datum: Any) -> Tensor:
        """One datum as modelled, (1, *shape)."""
        if self.codec is None:
            raise ValueError(f"conditioner {self.name!r} reads data by a codec, which for_codec gives it")
        array = np.asarray(datum)
        if array.shape != self.codec.stored:
            raise ValueError(f"what is given must be {self.codec.stored}, as the data are stored, not {array.shape}")
        encoded: Tensor = self.codec.encode(as_stored(array, self.codec.dtype)[np.newaxis])
        return encoded


class FirstFrames(
    Given,
    name="first_frames",
    says="the first slices of the first axis, a video's frames, so that the others are predicted",
    source="Ho et al. 2022, arXiv 2204.03458",
):
    """The first `count` frames as they are; the others are not looked at.

    >>> FirstFrames(shape=(1, 16, 32, 32), count=4).fields
    {'given': Map(channels=2)}
    """

    count: int = option(1, least=1, most=10**6, says="slices that are given")

    def check(self) -> None:
        super().check()
        if self.count >= self.shape[1]:
            raise ValueError(f"count = {self.count}: of {self.shape[1]} slices there must be one left to predict")

    def part(self, x: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        there = torch.arange(x.shape[2], device=x.device) < self.count
        return x, there.reshape(1, 1, -1, *[1] * (x.ndim - 3)).expand(len(x), 1, *x.shape[2:])


class LowResolution(
    Given,
    name="low_resolution",
    says="the means of squares, so that data are made of higher resolution (super-resolution)",
    source="Saharia et al. 2021, arXiv 2104.07636",
):
    """The mean of every square of `factor` points along each axis, in the place of each of its points.

    Who has only the squares, brings each repeated as often.

    >>> low = LowResolution(shape=(1, 4), factor=2)
    >>> low.of_data(torch.tensor([[[0.0, 2.0, 5.0, 7.0]]]), Draws(0, [0]))["given"]
    tensor([[[1., 1., 6., 6.],
             [1., 1., 1., 1.]]])
    """

    exact: ClassVar[bool] = False
    factor: int = option(4, least=2, most=1024, says="points along each axis of which one is made")

    def check(self) -> None:
        super().check()
        if any(size % self.factor for size in self.shape[1:]):
            raise ValueError(f"factor = {self.factor}: must divide {' and '.join(map(str, self.shape[1:]))}")

    def part(self, x: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        for axis in range(2, x.ndim):
            squares = x.reshape(*x.shape[:axis], -1, self.factor, *x.shape[axis + 1 :])
            x = squares.mean(dim=axis + 1, keepdim=True).expand_as(squares).flatten(axis, axis + 1)
        return x, x.new_ones(len(x), 1, *x.shape[2:])


class Observed(
    Given,
    name="observed",
    says="the values at some points, so that the others are filled in (inpainting, assimilation of observations)",
    source="Saharia et al. 2021, arXiv 2111.05826",
):
    """While a network is trained, each point is observed with a probability of `share`, drawn anew at every visit.

    What is asked for is a datum with NaN where nothing was observed, or a masked array of NumPy's, as pixels need it
    (`np.ma.masked_array(datum, mask=missing)`): a point is observed where all its channels are.

    >>> from fm.codecs import Standardised
    >>> observed = Observed(shape=(1, 3)).for_codec(Standardised((1, 3)))
    >>> observed.read([np.array([[2.0, np.nan, 4.0]])])["given"]
    tensor([[[2., 0., 4.],
             [1., 0., 1.]]])
    """

    share: float = option(0.1, above=0, below=1, says="of the points that are observed, in training")

    def part(self, x: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        seen = draws.uniform(prod(self.shape[1:]), Purpose.OBSERVED) < self.share
        return x, seen.reshape(len(x), 1, *self.shape[1:]).to(x.device)

    def _map(self, datum: Any) -> Tensor:
        return told(*self._known(datum))


def told(values: Tensor, there: Tensor) -> Tensor:
    """Values (B, C, *spatial) and where they are given (B, 1, *spatial) -> (B, C + 1, *spatial), zeros elsewhere."""
    return torch.cat([torch.where(there.bool(), values, 0.0), there.to(values)], dim=1)


def numbers(datum: Any) -> np.ma.MaskedArray[Any, Any]:
    """A datum that is given as an array, masked or not. Raises ValueError: it has no numbers."""
    array = np.ma.asarray(datum)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"what is given must be an array of numbers, not {shown(datum)}")
    return array


def as_stored(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """
    Raises:
        ValueError: whole numbers are stored, and these are others.

    >>> as_stored(np.array([0.0, 255.0]), "uint8")
    array([  0, 255], dtype=uint8)
    """
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        fits = (array >= limits.min) & (array <= limits.max) & (array == np.rint(array))
        if not fits.all():
            raise ValueError(
                f"what is given must be whole numbers from {limits.min} to {limits.max}, as the data are stored, not "
                f"{array[~fits][0]:g}"
            )
    return array.astype(dtype)
