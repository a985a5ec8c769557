"""Derivatives of periodic fields, by their Fourier series: exact for every wave that a grid can tell from others.

Fields are (..., H, W) on a square of side 2 pi, so that wave numbers are whole: rows are y, columns are x. A velocity
is (..., 2, H, W), along x and along y. Everything is computed in float64.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.floating]
Series = NDArray[np.complex128]


class Waves(NamedTuple):
    """Wave numbers of the series that `series` gives, whose axes are (H, W // 2 + 1).

    Attributes:
        x, y: (1, W // 2 + 1) and (H, 1); 0 for the wave of two points, whose slope a grid does not see.
        length: (H, W // 2 + 1), of the wave's vector.

    >>> waves = Waves.on(4, 4)
    >>> waves.x.tolist(), waves.y.T.tolist(), waves.length[0].tolist()
    ([[0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0, -1.0]], [0.0, 1.0, 2.0])
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    length: NDArray[np.float64]

    @classmethod
    def on(cls, height: int, width: int) -> "Waves":
        """Of fields (..., height, width)."""
        x, y = fft.rfftfreq(width, 1 / width)[np.newaxis], fft.fftfreq(height, 1 / height)[:, np.newaxis]
        return cls(np.where(2 * x == width, 0, x), np.where(2 * y == -height, 0, y), np.hypot(x, y))


def series_of(field: Field) -> Series:
    """(..., H, W) -> complex (..., H, W // 2 + 1), the mean first."""
    found: Series = fft.rfft2(np.asarray(field, dtype=np.float64), norm="forward")
    return found


def field_of(series: Series, width: int) -> NDArray[np.float64]:
    """The field (..., H, width) of a series."""
    found: NDArray[np.float64] = fft.irfft2(series, s=(series.shape[-2], width), norm="forward")
    return found


def vorticity_of(velocity: Field) -> NDArray[np.float64]:
    """The curl of a velocity (..., 2, H, W): (..., H, W), dv/dx - du/dy.

    >>> y, x = np.mgrid[:8, :8] * 2 * np.pi / 8
    >>> bool(np.allclose(vorticity_of(np.stack([np.cos(y), np.cos(x)])), np.sin(y) - np.sin(x)))
    True
    """
    waves, (u, v) = parted(velocity)
    return field_of(1j * (waves.x * v - waves.y * u), velocity.shape[-1])


def divergence_of(velocity: Field) -> NDArray[np.float64]:
    """Of a velocity (..., 2, H, W): (..., H, W), du/dx + dv/dy."""
    waves, (u, v) = parted(velocity)
    return field_of(1j * (waves.x * u + waves.y * v), velocity.shape[-1])


def velocity_of(vorticity: Field) -> NDArray[np.float64]:
    """The velocity (..., 2, H, W) without divergence and without mean that has this vorticity (..., H, W).

    >>> y, x = np.mgrid[:8, :8] * 2 * np.pi / 8
    >>> bool(np.allclose(velocity_of(np.sin(y) - np.sin(x)), [np.cos(y), np.cos(x)]))
    True
    """
    waves = Waves.on(*vorticity.shape[-2:])
    return field_of(velocity_series(series_of(vorticity), waves), vorticity.shape[-1])


def velocity_series(vorticity: Series, waves: Waves) -> Series:
    """The same between series: (..., H, W // 2 + 1) -> (..., 2, H, W // 2 + 1)."""
    square = waves.x**2 + waves.y**2
    stream = vorticity / np.where(square == 0, np.inf, square)  # u = d(stream)/dy, v = -d(stream)/dx
    return np.stack([1j * waves.y * stream, -1j * waves.x * stream], axis=-3)


def parted(velocity: Field) -> tuple[Waves, tuple[Series, Series]]:
    """Waves, and the series of both parts of a velocity."""
    if velocity.ndim < 3 or velocity.shape[-3] != 2:
        raise ValueError(f"a velocity is (..., 2, H, W), not {velocity.shape}")
    found = series_of(velocity)
    return Waves.on(*velocity.shape[-2:]), (found[..., 0, :, :], found[..., 1, :, :])
