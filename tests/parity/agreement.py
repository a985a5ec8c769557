"""What every parity test is made of: a comparison with another library, and the proof that it would notice an error.

A check is written once, with a `Fault` among its arguments. `@notices("alpha", "time")` runs it three times: as it is,
with our alpha off by 1%, and with one of our times late by 1% of its step. The last two must end in a Mismatch.
"""

import functools
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from fm.conditions import Condition
from fm.paths import Path

COEFFICIENTS = ("alpha", "sigma", "d_alpha", "d_sigma")
OFF = 1.01
SHAPE = (6, 1, 3, 2)
TIMES = torch.linspace(0.05, 0.95, SHAPE[0], dtype=torch.float64)


class Mismatch(AssertionError):
    """Ours and theirs are both numbers, but not the same ones."""


def same(ours: Tensor | float, theirs: Tensor | float, tolerance: float = 1e-10) -> None:
    """Alike to `tolerance`, both relative to theirs and absolute."""
    ours, theirs = (torch.as_tensor(value, dtype=torch.float64) for value in (ours, theirs))
    assert ours.shape == theirs.shape
    assert bool(torch.isfinite(ours).all())
    assert bool(torch.isfinite(theirs).all())
    gap = float(((ours - theirs).abs() / (1 + theirs.abs())).max())
    if gap > tolerance:
        raise Mismatch(f"{gap:.3g} apart, more than {tolerance:g}")


class OffBy(Path):
    """A path with one of its four coefficients off: by the factor at t = 1/2, by less before and by more after.

    By the same factor everywhere would not be an error to all: the unit of alpha cancels in DDIM by predicted noise.
    """

    base: Path
    coefficient: str
    factor: float = OFF

    @property
    def interval(self) -> tuple[float, float]:
        return self.base.interval

    def alpha(self, t: Tensor) -> Tensor:
        return self._perhaps_off("alpha", t)

    def sigma(self, t: Tensor) -> Tensor:
        return self._perhaps_off("sigma", t)

    def d_alpha(self, t: Tensor) -> Tensor:
        return self._perhaps_off("d_alpha", t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return self._perhaps_off("d_sigma", t)

    def _perhaps_off(self, coefficient: str, t: Tensor) -> Tensor:
        value: Tensor = getattr(self.base, coefficient)(t)
        return value * self.factor ** (2 * t) if coefficient == self.coefficient else value


@dataclass(frozen=True)
class Fault:
    """The one thing of ours that is off in this run of a check."""

    where: str = "nowhere"

    def factor(self, where: str) -> float:
        """What to multiply the number called `where` with."""
        return OFF if where == self.where else 1.0

    def path(self, path: Path) -> Path:
        return OffBy(path, self.where) if self.where in COEFFICIENTS else path

    def times(self, times: Tensor) -> Tensor:
        """The grid, its middle time late by 1% of the step to the next if the fault is there."""
        middle = (len(times) - 1) // 2
        moved = times.clone()
        moved[middle] += (self.factor("time") - 1) * (times[middle + 1] - times[middle])
        return moved

    def pairing(self, x0: Tensor) -> Tensor:
        """The noise, its first two rows swapped if the fault is there."""
        return torch.cat([x0[:2].flip(0), x0[2:]]) if self.where == "pairing" else x0


def notices(*places: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a check without a fault, and with a fault at each of the places, when it must see a Mismatch."""

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        @pytest.mark.parametrize("fault", [Fault(), *map(Fault, places)], ids=lambda fault: fault.where)
        @functools.wraps(check)
        def test(*args: object, fault: Fault, **kwargs: object) -> None:
            with pytest.raises(Mismatch) if fault.where in places else nullcontext():
                check(*args, fault=fault, **kwargs)

        return test

    return decorate


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers, float64, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise_and_data(*shape: int) -> tuple[Tensor, Tensor]:
    """An x0 and an x1 that is not normal, both float64, of SHAPE unless told."""
    x0, x1 = normal(2, *(shape or SHAPE)).unbind()
    return x0, torch.tanh(2 * x1 + 0.3)


class Network(nn.Module):
    """Smooth, not linear, the same for both libraries, float64: sin of a random linear map of x plus t and label."""

    def __init__(self, dimensions: int = math.prod(SHAPE[1:])) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(dimensions, dimensions, seed=1) / math.sqrt(dimensions), requires_grad=False)

    def forward(self, x: Tensor, t: Tensor, condition: Condition | None = None, until: Tensor | None = None) -> Tensor:
        """Like x (B, ...), at t (B,) or (), under `label` (B,)."""
        phase = (2 * t + (condition or {}).get("label", 0.0)).expand(len(x))
        return torch.sin(x.flatten(1) @ self.weight + phase[:, None]).reshape(x.shape)
