"""A stochastic differential equation with the path's own distributions, and as much noise as one likes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from fm.components import option
from fm.lazy import torch
from fm.paths import Path
from fm.solvers.gaussian import Clipping, Predict, clipped, needed
from fm.solvers.ode import at_least_float32, on_host
from fm.solvers.solver import Fresh

if TYPE_CHECKING:
    from torch import Tensor


class EulerMaruyama(
    Clipping,
    name="euler_maruyama",
    title="Euler–Maruyama",
    says="the path's velocity with fresh noise all the way, and as much of the score as takes it away again",
    source="Ma et al. 2024, arXiv 2401.08740, section 2; Albergo et al. 2023, arXiv 2303.08797",
    formula=r"$\mathrm dx = (v + \frac12 w s)\, \mathrm dt + \sqrt w\, \mathrm dW$",
    convergence="1, in distribution",
    calls=1,
):
    """dx = (v + w s / 2) dt + sqrt(w) dW with the score s = -E[x0 | x_t] / sigma. Of noise with the covariance C, s is
    C times the score and dW has the covariance C dt: as in the coordinates in which the noise is white.

    By the Fokker-Planck equation what half the score pulls together is what the noise spreads, so that x_t is
    distributed as along the path whatever the w(t) >= 0. With a network that is not perfect, noise forgets what went
    wrong before. The last step adds none: it is DDIM's, to what is predicted.

    >>> from fm.paths import Ends
    >>> def halfway(x, t):
    ...     return Ends(x, torch.full_like(x, 0.5))
    >>> x, times = torch.ones(1, 1), torch.linspace(0, 1, 5)
    >>> EulerMaruyama()(halfway, Path.of("cond_ot"), x, times, fresh=lambda: torch.ones(1, 1))
    tensor([[0.5000]])
    """

    diffusion: Literal["sigma", "sine", "constant"] = option(
        "sigma", says="the shape of w: sigma(t), sin(pi t) squared, or 1"
    )
    scale: float = option(1.0, least=0, most=1000, says="what w is multiplied with; 0 means no noise")

    def w(self, path: Path, t: Tensor) -> Tensor:
        """The diffusion coefficient at times, like t."""
        match self.diffusion:
            case "sigma":
                return self.scale * path.sigma(t)
            case "sine":
                return self.scale * torch.sin(math.pi * t).square()
            case "constant":
                return torch.full_like(t, self.scale)

    def __call__(self, ends: Predict, path: Path, x: Tensor, times: Tensor, fresh: Fresh | None = None) -> Tensor:
        source = needed(fresh, self.scale)
        ends = clipped(ends, path, self.bound)
        x, times = at_least_float32(x), on_host(times)
        starts, widths = times[:-1], times.diff()
        w = self.w(path, starts)
        of_data, of_noise = path.mixture("velocity", starts)
        add_data = (widths * of_data).tolist()
        add_noise = (widths * (of_noise - w / (2 * path.sigma(starts)))).tolist()
        spread = (w * widths).sqrt().tolist()
        for k, t in enumerate(starts[:-1]):
            noise, data = ends(x, t)
            x = x + add_data[k] * data + add_noise[k] * noise
            if self.scale > 0:
                x = x + spread[k] * source().to(x)
        noise, data = ends(x, starts[-1])
        return float(path.alpha(times[-1])) * data + float(path.sigma(times[-1])) * noise
