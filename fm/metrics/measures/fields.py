"""What is measured of fields: spectrum, distribution of values and slopes, and of velocities their divergence."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.components import option
from fm.metrics.measures.measures import Curve, Described, Figure, Measures, mean

ORDERS = np.arange(1, 5)


class FieldMeasures(
    Measures,
    name="fields",
    says="spectrum, distribution of values and slopes, and of velocities vorticity and divergence",
):
    """Of square fields (N, C, H, W).

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
        from fm.metrics.fields import spectrum_error

        errors = [spectrum_error(*powers) for powers in self.powers(described, of_data)]
        here, there = described["values"].mean(axis=0), of_data["values"].mean(axis=0)  # (C, 4)
        deviation = np.sqrt(there[:, 1] - there[:, 0] ** 2)
        found = {
            "spectrum": float(np.mean([one.decades for one in errors])),
            "beyond": float(np.mean([one.beyond for one in errors])),
            "offset": float(np.max(np.abs(here[:, 0] - there[:, 0]) / deviation)),
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
        from fm.metrics.fields import spectrum_error

        each = [spectrum_error(*powers).decibels for powers in self.powers(described, of_data)]
        return {"spectrum": np.mean(each, axis=0)}

    def powers(self, described: Described, of_data: Described) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """The spectrum of each channel, of the data described and of the training data."""
        return list(zip(described["spectrum"].mean(axis=0), of_data["spectrum"].mean(axis=0), strict=True))


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
    first, second, third, fourth = np.moveaxis(moments.mean(axis=0), -1, 0)
    variance = second - first**2
    about_mean = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean(about_mean / variance**2)
