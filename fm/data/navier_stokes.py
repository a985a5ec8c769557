"""Flow of an incompressible fluid in a plane, on a periodic square of side 2 pi, by Fourier series.

Equation: d(omega)/dt + u . grad(omega) = viscosity * laplacian(omega) - drag * omega + curl(force), where omega is the
vorticity of the velocity u, and div u = 0.
Source: Canuto et al. 1988, Spectral Methods in Fluid Dynamics (pseudo-spectral, rid of aliases by the rule of two
thirds); the linear terms are integrated exactly, the others by the fourth-order Runge-Kutta method.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from fm.spectral import Series, Waves, field_of, series_of, velocity_series

Vorticity = NDArray[np.float64]


@dataclass(frozen=True)
class NavierStokes:
    """A fluid, and how finely it is computed.

    Attributes:
        side: points of the grid in either direction.
        viscosity, drag: what slows it down, the small scales more than others and all scales alike.
        force: amplitude of a steady force along x, force * sin(force_wave * y) (Kolmogorov's flow).
        force_wave: its wave number.
        step: the longest step of time. Nothing may move by much more than the distance of two points in it.

    >>> fluid = NavierStokes(side=16, viscosity=0.1)
    >>> y, x = np.mgrid[:16, :16] * 2 * np.pi / 16
    >>> vortices = np.cos(x) * np.cos(y)  # Taylor & Green's: they only fade
    >>> bool(np.allclose(fluid.after(vortices, time=2.0), vortices * np.exp(-2 * 0.1 * 2.0)))
    True
    """

    side: int
    viscosity: float
    drag: float = 0.0
    force: float = 0.0
    force_wave: int = 4
    step: float = 0.03

    def after(self, vorticity: Vorticity, time: float) -> Vorticity:
        """The vorticity (..., side, side) at a later time.

        Raises:
            FloatingPointError: the steps are too long for a flow as fast as this.
        """
        steps = max(ceil(time / self.step), 1)
        step = time / steps
        half = np.exp(-self._loss * step / 2)
        omega = self._seen * series_of(vorticity)
        with np.errstate(over="raise", invalid="raise"):
            for _ in range(steps):
                omega = self._stepped(omega, step, half)
        return field_of(omega, self.side)

    def _stepped(self, omega: Series, step: float, half: NDArray[np.float64]) -> Series:
        """A step of Runge and Kutta's method for exp(loss * t) * omega; `half` is the loss of half a step."""
        slope_1 = self._change(omega)
        slope_2 = self._change(half * (omega + step / 2 * slope_1))
        slope_3 = self._change(half * omega + step / 2 * slope_2)
        slope_4 = self._change(half * (half * omega + step * slope_3))
        between = half * (half * (omega + step / 6 * slope_1) + step / 3 * (slope_2 + slope_3))
        return between + step / 6 * slope_4

    def _change(self, omega: Series) -> Series:
        """All of d(omega)/dt but what is linear in omega: -div(u omega) + curl(force)."""
        fields = field_of(self._moving * omega[..., np.newaxis, :, :], self.side)
        carried = series_of(fields[..., :2, :, :] * fields[..., 2:, :, :])
        change: Series = (self._leaving * carried).sum(axis=-3) + self._stirring
        return change

    @cached_property
    def _moving(self) -> Series:
        """By which a vorticity's series gives those of its velocity and of itself: (3, side, side // 2 + 1)."""
        one = np.ones_like(self._waves.length, dtype=np.complex128)
        return np.concatenate([velocity_series(one, self._waves), one[np.newaxis]])

    @cached_property
    def _leaving(self) -> Series:
        """By which the series of what is carried, along x and along y, gives what is lost: (2, side, side // 2 + 1)."""
        leaving: Series = -1j * self._seen * np.stack(np.broadcast_arrays(self._waves.x, self._waves.y))
        return leaving

    @cached_property
    def _waves(self) -> Waves:
        return Waves.on(self.side, self.side)

    @cached_property
    def _seen(self) -> NDArray[np.bool_]:
        """Waves that are computed: products of two of them do not come back as one of them."""
        return self._waves.length < self.side / 3

    @cached_property
    def _loss(self) -> NDArray[np.float64]:
        return self.viscosity * self._waves.length**2 + self.drag

    @cached_property
    def _stirring(self) -> Series:
        y = np.arange(self.side)[:, np.newaxis] * 2 * np.pi / self.side
        curl = -self.force * self.force_wave * np.cos(self.force_wave * y)
        return series_of(np.broadcast_to(curl, (self.side, self.side)))


def random_vorticity(side: int, seed: int, number: int, energy: float = 0.5, peak: float = 5.0) -> Vorticity:
    """Vorticity (side, side) of random phases, whose energy at wave number k goes as k / (1 + (k / peak)^4).

    A function of the seed and of the field's number among those of the seed.
    Source: McWilliams 1984, The emergence of isolated coherent vortices in turbulent flow.

    Args:
        energy: mean of u^2 / 2.

    >>> from fm.spectral import velocity_of
    >>> round(float((velocity_of(random_vorticity(32, seed=0, number=7)) ** 2).sum(axis=0).mean() / 2), 6)
    0.5
    """
    waves = Waves.on(side, side)
    noise = series_of(np.random.default_rng((seed, number)).standard_normal((side, side)))
    length = waves.length * (waves.length < side / 3)
    omega = noise * length / np.sqrt(1 + (length / peak) ** 4)  # energy: |omega|^2 / (2 k^2), on a ring of 2 pi k waves
    speed = field_of(velocity_series(omega, waves), side)
    has = float((speed**2).sum(axis=0).mean()) / 2
    return field_of(omega, side) * float(np.sqrt(energy / has))
