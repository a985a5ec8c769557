"""A model trained on one path sampled along another: a change of time and of scale.

Two points of two paths with the same sigma / alpha hold the same mixture of noise and data up to a factor, so a
prediction of the two ends at one is a prediction at the other (Karras et al. 2022, arXiv 2206.00364, section 2;
Lipman et al. 2024, arXiv 2412.06264, section 4.6). In particular DDIM on any path is Euler's method after the
change to the straight path (Song et al. 2020, arXiv 2010.02502, section 4.3).
"""

import torch
from torch import Tensor

from fm.paths import Path


def matching_time(source: Path, target: Path, t: Tensor) -> Tensor:
    """The time of `target` where sigma / alpha is what it is on `source` at t (B,); float64 (B,).

    Where `target` never is so noisy, its start.
    """
    return target.time_of(source.ratio(t.double()))


def scale(source: Path, target: Path, t: Tensor, t_target: Tensor) -> Tensor:
    """What a point of `source` at t is multiplied with to be the point of `target` at its matching time, float64 (B,).

    The factor between the lengths of (alpha, sigma), which are never both 0.
    """
    t = t.double()
    length = torch.hypot(source.alpha(t), source.sigma(t))
    return torch.hypot(target.alpha(t_target), target.sigma(t_target)) / length
