"""What is measured of fields: spectrum, distribution of values and slopes, and of velocities their divergence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.components import option
from fm.metrics.measures.measures import Curve, Described, Figure, Measures, mean

if TYPE_CHECKING:
    from fm.metrics.fields import SpectrumError

ORDERS = np.arange(1, 5)
ROUNDING = 1e-13
"""The part of a mean square below which a variance is what float64 leaves of it."""


class FieldMeasures(
    Measures,
    name="fields",
    says="spectrum, distribution of values and slopes, and of velocities vorticity and divergence",
):
    """Of fields (N, C, H, W).

    >>> noise = np.random.default_rng(0).normal(size=(200, 1, 16, 16)).astype(np.float32)
    >>> measures = FieldMeasures(periodic=True)
    >>> described = measures.describe(noise)
    >>> {name: round(value, 1) for name, value in measures.values(described, described).items()}
    {'spectrum': 0.0, 'beyond': 0.0, 'offset': 0.0, 'kurtosis': 3.0, 'kurtosis_slopes': 3.0}
    """

    periodic: bool = option(False, says="whether what leaves at one edge comes in at the other")
    velocity: bool = option(False, says="whether the two channels are a velocity along x and y, periodic too")

    figures: ClassVar = (
        Figure("spectrum", "error of the power spectrum, the mean over wave numbers", "decades", aim="low"),
        Figure("beyond", "power at wave numbers where the data have none", "share", aim="low"),
        Figure("offset", "how far the mean is from that of the data, of their deviation", "share", aim="low"),
        Figure("kurtosis", "kurtosis of the values, 3 of a normal distribution"),
        Figure("kurtosis_slopes", "kurtosis of the slopes"),
    )
    of_velocities: ClassVar = (
        Figure("kurtosis_vorticity", "kurtosis of the vorticity"),
        Figure("divergence", "divergence, of all derivatives", "share", aim="low"),
    )
    curves: ClassVar = (Curve("spectrum", "error of the power spectrum", "dB", along="wave number"),)

    @property
    def told(self) -> tuple[Figure, ...]:
        return (*self.figures, *(self.of_velocities if self.velocity else ()))

    def describe(self, stored: NDArray[Any], recognised: NDArray[np.bool_] | None = None) -> Described:
        from fm.metrics.fields import divergence_residual, slopes, spectra  # SciPy, which declarations do without
        from fm.spectral import vorticity_of

        found = spectra(stored)
        described = {
            "spectrum": found.sum(axis=1, keepdims=True) if self.velocity else found,  # a velocity has one energy
            "values": moments(stored),
            "slopes": moments(slopes(stored, self.periodic)),
        }
        if self.velocity:
            described["vorticity"] = moments(vorticity_of(stored)[:, np.newaxis])
            described["divergence"] = divergence_residual(stored)
        return described

    def values(self, described: Described, of_data: Described) -> Mapping[str, float]:
        errors = self.errors(described, of_data)
        here, there = described["values"].mean(axis=0), of_data["values"].mean(axis=0)  # (C, 4)
        offsets = np.abs(here[:, 0] - there[:, 0]) / np.sqrt(variance_of(there))
        found = {
            "spectrum": float(np.mean([one.decades for one in errors])) if errors else np.nan,
            "beyond": float(np.mean([one.beyond for one in errors])) if errors else np.nan,
            "offset": float(max(offsets[np.isfinite(offsets)], default=np.nan)),
            "kurtosis": kurtosis_of(described["values"]),
            "kurtosis_slopes": kurtosis_of(described["slopes"]),
        }
        if self.velocity:
            found |= {
                "kurtosis_vorticity": kurtosis_of(described["vorticity"]),
                "divergence": mean(described["divergence"]),
            }
        return found

    def lines(self, described: Described, of_data: Described) -> Mapping[str, NDArray[np.float64]]:
        errors = self.errors(described, of_data)
        if not errors:
            return {"spectrum": np.full(described["spectrum"].shape[-1], np.nan)}
        return {"spectrum": np.mean([one.decibels for one in errors], axis=0)}

    def errors(self, described: Described, of_data: Described) -> list[SpectrumError]:
        """Of the spectrum of each channel that changes in the training data."""
        from fm.metrics.fields import spectrum_error

        made, data = (
            described["spectrum"].mean(axis=0),
            of_data["spectrum"].mean(axis=0),
        )  # (C, K), of a velocity (1, K)
        varies = np.isfinite(variance_of(of_data["values"].mean(axis=0)))
        if self.velocity:
            varies = np.array([varies.any()])
        return [spectrum_error(*both) for *both, does in zip(made, data, varies, strict=True) if does]


def moments(values: NDArray[Any]) -> NDArray[np.float64]:
    """Means of the first four powers of each datum's values (N, C, ...): (N, C, 4).

    >>> moments(np.array([[[1.0, 2.0]]])).tolist()
    [[[1.5, 2.5, 4.5, 8.5]]]
    """
    each = values.reshape(*values.shape[:2], -1).astype(np.float64)
    return np.stack([(each**order).mean(axis=-1) for order in ORDERS], axis=-1)


def kurtosis_of(moments: NDArray[np.float64]) -> float:
    """Of all values of a channel together, by the moments of each datum (N, C, 4); the mean over channels.

    >>> kurtosis_of(np.array([[[0.0, 1.0, 0.0, 3.0]]]))
    3.0
    """
    together = moments.mean(axis=0)
    first, second, third, fourth = np.moveaxis(together, -1, 0)
    about_mean = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    return mean(about_mean / variance_of(together) ** 2)


def variance_of(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """By the first moments (C, 4): (C,); not a number of a channel that is the same everywhere, but for rounding.

    >>> variance_of(np.array([[0.0, 1.0, 0.0, 3.0], [0.1, 0.1**2, 0.1**3, 0.1**4]]))
    array([ 1., nan])
    """
    first, second = moments[:, 0], moments[:, 1]
    variance = second - first**2
    return np.where(variance > ROUNDING * second, variance, np.nan)
