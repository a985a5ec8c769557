"""What a path begins with: the distribution of its noise, N(0, C) (a path's *source*; datasets are fm.data.sources).

The noise is made of standard normal noise by a symmetric linear map A, so that C = A². With y = A⁻¹ x a path from such
noise to data is the path from white noise to A⁻¹ x1, and all that is linear in noise and data stays what it is: the
conversions between velocity, data and noise, and every solver, given fresh noise of the same source. Two things know C:
the density of noise (fm.likelihood) and the score, ∇ log p(x_t | x1) = -C⁻¹ x0 / sigma.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from fm.components import Component, option
from fm.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from fm.batches import Examples

LEAST = 1e-6
"""The least power at any wave number, in parts of the mean: below that rounding would be what is drawn."""
MOST_DATA, FEWEST_DATA, MOST_NUMBERS = 2048, 64, 2**25
"""On how many data a spectrum is measured, and their numbers together."""


class NoiseSource(Component, ABC, kind="source"):
    """The distribution of noise, N(0, C), of variance 1 in the mean of a datum's numbers.

    >>> NoiseSource.of({"name": "shared", "rho": 0.25})
    Shared(rho=0.25)
    """

    @abstractmethod
    def shaped(self, white: Tensor) -> Tensor:
        """Noise of this source, of standard normal noise (B, C, *spatial): A x, each datum by itself.

        Raises:
            ValueError: data of such a shape have no such noise.
        """

    @abstractmethod
    def whitened(self, noise: Tensor) -> Tensor:
        """The reverse: A⁻¹ x, like the noise."""

    @abstractmethod
    def log_volume(self, shape: Sequence[int]) -> float:
        """log |det A| for a datum of `shape` (C, *spatial)."""

    def score(self, x0: Tensor, sigma: Tensor) -> Tensor:
        """∇ log p(x_t | x1) where x_t = alpha x1 + sigma x0: -C⁻¹ x0 / sigma, like x0."""
        return -self.whitened(self.whitened(x0)) / sigma

    def measured(self, examples: Examples) -> Self:
        """The same with what it takes of the data that are to be learnt."""
        return self


class White(NoiseSource, name="white", says="independent standard normal numbers", formula="$C = I$"):
    """Standard normal noise as it is.

    >>> White().shaped(torch.tensor([[1.0, -2.0]]))
    tensor([[ 1., -2.]])
    """

    def shaped(self, white: Tensor) -> Tensor:
        return white

    def whitened(self, noise: Tensor) -> Tensor:
        return noise

    def log_volume(self, shape: Sequence[int]) -> float:
        return 0.0


WHITE = White()


class Shared(
    NoiseSource,
    name="shared",
    says="standard normal numbers that frames, slices of the first axis, share in part",
    source="Ge et al. 2023, arXiv 2305.10474, section 4.1 (mixed noise)",
    formula=r"$C = (1 - \rho)\, I + \rho\, 1 1^\top$ among frames",
):
    """Two frames' numbers at the same place have the correlation rho.

    >>> torch.manual_seed(0)
    <torch._C.Generator object at ...>
    >>> noise = Shared(rho=0.8).shaped(torch.randn(10_000, 1, 2))[:, 0]
    >>> round(float(torch.corrcoef(noise.T)[0, 1]), 1)
    0.8
    """

    rho: float = option(0.5, least=0, below=1, says="correlation between any two frames")

    def shaped(self, white: Tensor) -> Tensor:
        return self._scaled(white, *self._factors(white.shape[1:]))

    def whitened(self, noise: Tensor) -> Tensor:
        apart, common = self._factors(noise.shape[1:])
        return self._scaled(noise, 1 / apart, 1 / common)

    def log_volume(self, shape: Sequence[int]) -> float:
        apart, common = self._factors(shape)
        return math.prod(shape) / shape[1] * ((shape[1] - 1) * math.log(apart) + math.log(common))

    def _factors(self, shape: Sequence[int]) -> tuple[float, float]:
        """The roots of C's two eigenvalues: of what differs between frames, and of their mean."""
        if len(shape) < 2:
            raise ValueError(f"source 'shared' is for data along an axis or more, not of shape {tuple(shape)}")
        return math.sqrt(1 - self.rho), math.sqrt(1 - self.rho + self.rho * shape[1])

    def _scaled(self, x: Tensor, apart: float, common: float) -> Tensor:
        mean = x.mean(dim=2, keepdim=True)
        return apart * (x - mean) + common * mean


class Spectral(
    NoiseSource,
    name="spectral",
    says="normal numbers with the data's own power at every wave number, channel by channel",
    formula=r"$\hat C(k) \propto P(\lvert k \rvert)^{\mathtt{exponent}}$ with $P$ the data's radial spectrum",
):
    """Periodic Gaussian noise whose power depends on the wave number's length alone, as the data's was measured.

    How soon which wave numbers become visible along a path depends on the ratio of the data's power to the noise's
    there, P(k)^(1 - exponent): with 1 all come at once, with 0 (white noise) those of high power first, which most
    often are the coarse ones, and below 0 still sooner than the others. So it is also a path's pace by frequency.

    >>> Spectral(power=((0.5, 1.5),)).shaped(torch.zeros(2, 1, 2)).shape
    torch.Size([2, 1, 2])
    """

    exponent: float = option(
        1.0,
        least=-2,
        most=2,
        says="of the data's power in the noise's: 1 is the data's own spectrum, 0 white noise; below 0 what is coarse "
        "comes still sooner than by white noise",
    )
    power: tuple[tuple[float, ...], ...] = option(
        (), above=0, says="the data's, of each channel by wave number, with mean 1; measured where none is given"
    )

    def check(self) -> None:
        if any(len(one) != len(self.power[0]) for one in self.power):
            raise ValueError("power: all channels have as many wave numbers")

    def measured(self, examples: Examples) -> Self:
        return self if self.power else replace(self, power=spectrum_of(examples))

    def shaped(self, white: Tensor) -> Tensor:
        return self._filtered(white, self._amplitude(white))

    def whitened(self, noise: Tensor) -> Tensor:
        return self._filtered(noise, 1 / self._amplitude(noise))

    def log_volume(self, shape: Sequence[int]) -> float:
        return float(amplitude(self, tuple(shape)).log().sum())

    def _amplitude(self, x: Tensor) -> Tensor:
        """For the half of the wave numbers that rfftn has, like x but for its batch."""
        half = amplitude(self, tuple(x.shape[1:]))[..., : x.shape[-1] // 2 + 1]
        return half.to(x.dtype).to(x.device, non_blocking=True)

    def _filtered(self, x: Tensor, factors: Tensor) -> Tensor:
        axes = tuple(range(2, x.ndim))
        made: Tensor = torch.fft.irfftn(torch.fft.rfftn(x, dim=axes) * factors, s=x.shape[2:], dim=axes)
        return made


class Datum(
    NoiseSource,
    name="datum",
    says="another datum, which lies beside each: image to image, a forecast from the present",
    source="Liu et al. 2022, arXiv 2209.03003; with noise: Albergo et al. 2023, arXiv 2310.03725",
    formula=r"$x_0 = s + \mathtt{noise}\; \varepsilon$",
):
    """No noise, but what a datum comes from, as it is stored beside it and read by the same codec. Without noise on it
    a datum always becomes the same one, the mean of all that it could become; a little noise lets it become any.

    It has no distribution that could be drawn from: solvers that draw fresh noise, likelihoods and pairs refuse it, and
    whoever samples brings data to begin with: Generator.sample(source=...).

    >>> Datum(noise=0.5).begun(torch.tensor([[2.0]]), white=torch.tensor([[1.0]]))
    tensor([[2.5000]])
    """

    field: str = option("source", says="the field beside each datum that has what it comes from")
    noise: float = option(0.0, least=0, most=100, says="standard deviation of white noise on it, as it is modelled")

    def begun(self, datum: Tensor, white: Tensor) -> Tensor:
        """What a path begins with: data as modelled (B, C, *spatial), and standard normal noise like them."""
        return datum + self.noise * white if self.noise else datum

    def shaped(self, white: Tensor) -> Tensor:
        raise self._undefined()

    def whitened(self, noise: Tensor) -> Tensor:
        raise self._undefined()

    def log_volume(self, shape: Sequence[int]) -> float:
        raise self._undefined()

    def _undefined(self) -> ValueError:
        return ValueError(
            "source 'datum': a path that begins with another datum has no noise to draw, and no density of it: give "
            "the data, and take a solver that draws nothing on the way"
        )


@lru_cache(maxsize=32)
def amplitude(source: Spectral, shape: tuple[int, ...]) -> Tensor:
    """The eigenvalues of A: by what each wave number of a datum of `shape` (C, *spatial) is multiplied, float64.

    Raises:
        ValueError: the spectrum is not known, or is of data of another shape.
    """
    if not source.power:
        raise ValueError("source 'spectral': the data's spectrum is not known: measure it by Objective.measured")
    shells = wave_numbers(shape[1:])
    if (len(source.power), len(source.power[0])) != (shape[0], int(shells.max()) + 1):
        raise ValueError(f"source 'spectral': its power is that of other data than those of shape {shape}")
    power = torch.tensor(source.power, dtype=torch.float64)[:, shells] ** source.exponent
    return (power / power.flatten(1).mean(dim=1).reshape(-1, *[1] * shells.ndim)).sqrt()


def wave_numbers(spatial: Sequence[int]) -> Tensor:
    """The length of each wave number in periods along the longest axis, to the nearest whole, int64 `spatial`.

    Raises:
        ValueError: there is no axis.

    >>> wave_numbers((4, 2))
    tensor([[0, 2],
            [1, 2],
            [2, 3],
            [1, 2]])
    """
    if not spatial:
        raise ValueError("source 'spectral' is for data along an axis or more")
    with torch.device("cpu"):  # also where networks of sizes alone are made
        squares = torch.zeros(*spatial, dtype=torch.float64)
        for axis, size in enumerate(spatial):
            along = torch.fft.fftfreq(size, dtype=torch.float64).square()
            squares += along.reshape(-1, *[1] * (len(spatial) - 1 - axis))
    return (squares.sqrt() * max(spatial)).round().long()


def spectrum_of(examples: Examples) -> tuple[tuple[float, ...], ...]:
    """Of each channel the variance of the data's Fourier coefficients by wave number, in parts of its mean over all of
    them, to six digits."""
    from fm.codecs.measuring import rounded

    shells = wave_numbers(examples.codec.shape[1:])
    sums = squares = torch.zeros(())
    count = 0
    for x in some_of(examples):
        found = torch.fft.fftn(x.double(), dim=tuple(range(2, x.ndim)), norm="ortho")
        sums, squares, count = sums + found.sum(0), squares + found.abs().square().sum(0), count + len(x)
    variance = (squares / count - (sums / count).abs().square()).clamp(min=0).flatten(1)
    total = torch.zeros(len(variance), int(shells.max()) + 1, dtype=torch.float64).index_add_(
        1, shells.flatten(), variance
    )
    power = total / torch.bincount(shells.flatten(), minlength=total.shape[1])
    mean = variance.mean(dim=1, keepdim=True)
    power = torch.where(mean > 0, power / mean, 1.0).clamp(min=LEAST)
    return tuple(tuple(rounded(each) for each in one) for one in power.tolist())


def some_of(examples: Examples) -> Iterator[Tensor]:
    """Some of the data as modelled, (B, C, *spatial) at a time: evenly spread over all there are."""
    import numpy as np

    from fm.codecs.measuring import chunks
    from fm.noise import Draws

    codec, count = examples.codec, len(examples.rows)
    numbers = math.prod(codec.shape)
    wanted = min(max(MOST_NUMBERS // numbers, FEWEST_DATA), MOST_DATA, count)
    rows = np.arange(wanted) * count // wanted
    for some in chunks(wanted, numbers):
        yield codec.encode(examples.rows[rows[some]]["data"], Draws(0, rows[some].tolist())).cpu()
