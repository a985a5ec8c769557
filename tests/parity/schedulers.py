"""diffusers' schedulers in float64, so that what is compared is their formulas, to 1e-10 and not to float32.

On DDPM's chain of 1000 steps their index k, from 0, is the state after k + 1 noising steps: our t = 1 - (k + 1) / 1000.
Clean data, our t = 1, have no index.
"""

from collections.abc import Callable
from unittest.mock import patch

import torch
from diffusers import SchedulerMixin
from torch import Tensor

LINEAR = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
ALPHA_BAR = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
LEVELS = ((1 - ALPHA_BAR) / ALPHA_BAR).sqrt()
"""sigma / alpha at every index, which they call sigmas."""


def in_float64(scheduler: SchedulerMixin) -> SchedulerMixin:
    """The scheduler with its tables of the chain in float64, when its timesteps have been set."""
    scheduler.alphas_cumprod = ALPHA_BAR
    if hasattr(scheduler, "sigmas"):
        scheduler.sigmas = torch.cat([LEVELS[scheduler.timesteps.long()], torch.zeros(1, dtype=torch.float64)])
    return scheduler


def stepped(step: Callable[..., object], *told: object) -> Tensor:
    """A scheduler's next x. Some round x to torch.float32 first, which for so long says float64."""
    with patch.object(torch, "float32", torch.float64):
        return step(*told).prev_sample


def time_at(index: Tensor) -> Tensor:
    return 1 - (index.double() + 1) / 1000


def times_of(scheduler: SchedulerMixin) -> Tensor:
    """The scheduler's grid of the chain as ours, clean data at its end."""
    return torch.cat([time_at(scheduler.timesteps).unique_consecutive(), torch.ones(1, dtype=torch.float64)])
