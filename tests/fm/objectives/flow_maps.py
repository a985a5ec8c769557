"""Networks that know the flow: what they say of a step is the mean velocity of the points that a path carries along."""

import math

import torch
from torch import Tensor, nn

from fm.conditions import Condition
from fm.paths import Path, like
from tests.fm.gaussian_data import DEVIATION, MEAN, velocity_of


class OfGaussian(nn.Module):
    """For the data of gaussian_data, in closed form: times `scale`, which is 1 where it is right."""

    def __init__(self, path: Path, scale: float = 1.0) -> None:
        super().__init__()
        self.path = path
        self.scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        until = t if until is None else until
        mean, deviation = self.moments(t, x)
        mean_then, deviation_then = self.moments(until, x)
        there = mean_then + deviation_then * (x - mean) / deviation
        span = like(until - t, x)
        still = span == 0
        mean_velocity = (there - x) / torch.where(still, 1.0, span)
        return self.scale.to(x) * torch.where(still, velocity_of(self.path)(x, t), mean_velocity)

    def moments(self, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the data at time t."""
        alpha, sigma = self.path.alpha(like(t, x)), self.path.sigma(like(t, x))
        return alpha * MEAN, torch.hypot(alpha * DEVIATION, sigma)


SPOTS = 2 * torch.tensor([[math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)] for k in range(8)]).double()
SPREAD = 0.3


class OfSpots(nn.Module):
    """For a mixture of eight Gaussians in the plane: its velocity in closed form, integrated by Kutta's 3/8 rule."""

    def __init__(self, path: Path, scale: float = 1.0, steps: int = 64) -> None:
        super().__init__()
        self.path, self.scale, self.steps = path, scale, steps

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        if until is None or bool((until == t).all()):
            return self.scale * self.velocity(x, t)
        start, h = x, (until - t) / self.steps
        for number in range(self.steps):
            now, s = t + number * h, like(h, x)
            k1 = self.velocity(x, now)
            k2 = self.velocity(x + s * k1 / 3, now + h / 3)
            k3 = self.velocity(x + s * (k2 - k1 / 3), now + 2 * h / 3)
            k4 = self.velocity(x + s * (k1 - k2 + k3), now + h)
            x = x + s * (k1 + 3 * (k2 + k3) + k4) / 8
        return self.scale * (x - start) / like(until - t, x)

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = self.path.alpha(t)[:, None], self.path.sigma(t)[:, None]
        variance = alpha**2 * SPREAD**2 + sigma**2
        beyond = x[:, None] - alpha[:, None] * SPOTS
        likely = torch.softmax(-beyond.square().sum(dim=2) / (2 * variance), dim=1)[:, :, None]
        x1 = (likely * (SPOTS + alpha[:, None] * SPREAD**2 * beyond / variance[:, None])).sum(dim=1)
        x0 = (likely * sigma[:, None] * beyond / variance[:, None]).sum(dim=1)
        return self.path.d_alpha(t)[:, None] * x1 + self.path.d_sigma(t)[:, None] * x0
