"""What is measured of fields (N, C, H, W): their spectrum, the distribution of their values and slopes, and whether a
velocity has divergence. Nothing here needs a network.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

from fm.spectral import Waves, divergence_of, field_of, series_of

Fields = npt.NDArray[np.floating]

NOTHING = 1e-10
"""The share of a spectrum's power below which a wave number has none: float32 leaves about 1e-14 by rounding."""


def power_spectrum(fields: Fields) -> npt.NDArray[np.float64]:
    """Mean power of fields by wave number, 1 to K = max(H, W) // 2: (K,), channels added up.

    A wave's number is its waves along the longest side, to the nearest whole one, whatever its direction; so all wave
    numbers together have the fields' variance, but for the waves of the corners. Of fields that are not periodic it
    sees the step from one edge to the other too.

    >>> x = np.arange(8) * 2 * np.pi / 8
    >>> waves = np.broadcast_to(np.sin(2 * x), (1, 1, 8, 8))  # of variance 1/2, twice a side
    >>> power_spectrum(waves).round(6).tolist()
    [0.0, 0.5, 0.0, 0.0]
    """
    found: npt.NDArray[np.float64] = spectra(fields).sum(axis=1).mean(axis=0)
    return found


def spectra(fields: Fields) -> npt.NDArray[np.float64]:
    """The same of each field and each channel by itself: (N, C, K)."""
    *_, height, width = fields.shape
    longest = max(height, width)
    both = np.full(width // 2 + 1, 2.0)  # a series has one of each pair of waves x and -x
    both[0] = 1
    if width % 2 == 0:
        both[-1] = 1
    down, along = fft.fftfreq(height)[:, np.newaxis], fft.rfftfreq(width)
    number = np.rint(longest * np.hypot(down, along)).astype(np.int64).ravel()
    found = [
        np.bincount(number, weights=(both * np.abs(series_of(one)) ** 2).ravel())
        for one in fields.reshape(-1, height, width)
    ]
    return np.reshape(found, (*fields.shape[:2], -1))[..., 1 : longest // 2 + 1].astype(np.float64)


class SpectrumError(NamedTuple):
    """How far a spectrum is from another.

    Attributes:
        decibels: (K,) by wave number from 1 on, above 0 where there is too much power; not a number where the other
            has none.
        decades: mean of their absolute values, as a logarithm to base 10: a tenth of decibels.
        beyond: share of the power at wave numbers at which the other has none.

    >>> spectrum_error(np.array([2.0, 10.0, 1.0]), np.array([2.0, 1.0, 0.0])).decades
    0.5
    """

    decibels: npt.NDArray[np.float64]
    decades: float
    beyond: float


def spectrum_error(power: npt.NDArray[np.float64], of_data: npt.NDArray[np.float64]) -> SpectrumError:
    """Of a power_spectrum (K,) against that of data.

    Raises:
        ValueError: the data have no power at all.
    """
    if not of_data.sum() > 0:
        raise ValueError("the data are constant: they have no spectrum")
    has = of_data > NOTHING * of_data.sum()
    decibels = np.full(len(of_data), np.nan)
    with np.errstate(divide="ignore"):
        decibels[has] = 10 * np.log10(power[has] / of_data[has])
    beyond = float(power[~has].sum() / power.sum()) if power.sum() > 0 else 0.0
    return SpectrumError(decibels, float(np.abs(decibels[has]).mean()) / 10, beyond)


def kurtosis(fields: Fields) -> npt.NDArray[np.float64]:
    """Of all values of each channel (N, C, ...) together: (C,). 3 of a normal distribution, more with rare extremes.

    >>> kurtosis(np.array([[-1.0], [1.0]])), kurtosis(np.array([[0.0], [0.0], [0.0], [1.0]])).round(3)
    (array([1.]), array([2.333]))
    """
    values = np.moveaxis(np.asarray(fields, dtype=np.float64), 1, 0).reshape(fields.shape[1], -1)
    apart = (values - values.mean(axis=1, keepdims=True)) ** 2
    found: npt.NDArray[np.float64] = (apart**2).mean(axis=1) / apart.mean(axis=1) ** 2
    return found


def slopes(fields: Fields, periodic: bool) -> Fields:
    """Differences of neighbours along both axes (N, C, ...), those of a periodic field across its edges too.

    >>> slopes(np.array([[[[1.0, 4.0]]]]), periodic=False).tolist()
    [[[3.0]]]
    >>> slopes(np.array([[[[1.0, 4.0]]]]), periodic=True).tolist()
    [[[0.0, 0.0, 3.0, -3.0]]]
    """
    between = (np.roll(fields, -1, axis) - fields if periodic else np.diff(fields, axis=axis) for axis in (-2, -1))
    return np.concatenate([each.reshape(*fields.shape[:2], -1) for each in between], axis=-1)


def divergence_residual(velocity: Fields) -> npt.NDArray[np.float64]:
    """Of each periodic velocity (N, 2, H, W): root mean square of its divergence by that of all its derivatives, (N,).

    0 where nothing is lost or gained, 1 of the slope of a potential; not a number of a velocity that is the same
    everywhere.

    >>> x = np.arange(8) * 2 * np.pi / 8
    >>> shear = np.broadcast_to(np.sin(x), (8, 8))
    >>> flows = np.stack([np.stack([shear, 0 * shear]), np.stack([0 * shear, shear])])  # along x, and across
    >>> divergence_residual(flows).round(6).tolist()
    [1.0, 0.0]
    """
    waves, found = Waves.on(*velocity.shape[-2:]), series_of(velocity)
    derivatives = [field_of(1j * along * found, velocity.shape[-1]) for along in (waves.x, waves.y)]
    of_all = sum((each**2).sum(axis=1).mean(axis=(-1, -2)) for each in derivatives)
    with np.errstate(invalid="ignore"):
        residual: npt.NDArray[np.float64] = np.sqrt((divergence_of(velocity) ** 2).mean(axis=(-1, -2)) / of_all)
    return residual
