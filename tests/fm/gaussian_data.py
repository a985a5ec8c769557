"""Gaussian data N(MEAN, DEVIATION^2), for which everything along a path is known in closed form."""

from collections.abc import Callable

import torch
from torch import Tensor

from fm.paths import Ends, Path, like

MEAN, DEVIATION = 0.4, 0.3


def ends_of(path: Path) -> Callable[[Tensor, Tensor], Ends]:
    """E[x0 | x_t] and E[x1 | x_t]."""

    def ends(x: Tensor, t: Tensor) -> Ends:
        alpha, sigma = path.alpha(like(t, x)), path.sigma(like(t, x))
        beyond_mean = (x - alpha * MEAN) / (alpha**2 * DEVIATION**2 + sigma**2)
        return Ends(sigma * beyond_mean, MEAN + alpha * DEVIATION**2 * beyond_mean)

    return ends


def velocity_of(path: Path) -> Callable[[Tensor, Tensor], Tensor]:
    """The marginal velocity, E[alpha' x1 + sigma' x0 | x_t]."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        x0, x1 = ends_of(path)(x, t)
        return path.d_alpha(like(t, x)) * x1 + path.d_sigma(like(t, x)) * x0

    return velocity


def flow_of(path: Path, x: Tensor, t0: float, t1: float) -> Tensor:
    """Where the flow takes x from t0 to t1: it maps one time's Gaussian to the other's, quantile by quantile."""

    def moments(t: float) -> tuple[Tensor, Tensor]:
        time = torch.tensor(t, dtype=torch.float64)
        alpha, sigma = path.alpha(time), path.sigma(time)
        return alpha * MEAN, torch.hypot(alpha * DEVIATION, sigma)

    (mean0, deviation0), (mean1, deviation1) = moments(t0), moments(t1)
    return mean1 + deviation1 * (x - mean0) / deviation0


def start(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.linspace(-2, 2, 9, dtype=dtype)[:, None]
