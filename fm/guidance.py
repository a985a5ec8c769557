"""Guidance: away from a weak prediction, through a strong one. The weak one is the same network's under no condition
(classifier-free guidance: Ho & Salimans 2022, arXiv 2207.12598) or that of a second, weaker network (autoguidance:
Karras et al. 2024, arXiv 2406.02507), if wanted within an interval of time only (Kynkaanniemi et al. 2024, arXiv
2404.07724).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fm.paths import factor

ALWAYS = (0.0, 1.0)


@dataclass(frozen=True)
class Guidance:
    """scale 1 means none; outside `interval`, both ends included, there is none either.

    >>> Guidance(scale=2.0, interval=(0.2, 0.9)).scales(torch.tensor([0.1, 0.5]))
    tensor([1., 2.])
    """

    scale: float = 1.0
    interval: tuple[float, float] = ALWAYS

    def acts_at(self, t: Tensor) -> bool:
        """Whether any of the times t, (B,) or (), is guided, so that there must be a weak prediction too.

        Always true, without a look, where all of time is guided; else whoever has the times has to be waited for, which
        is nobody where they are on the CPU.
        """
        if self.scale == 1:
            return False
        return self.interval == ALWAYS or bool(self.within(t).any())

    def within(self, t: Tensor) -> Tensor:
        return (t >= self.interval[0]) & (t <= self.interval[1])

    def scales(self, t: Tensor) -> Tensor:
        """That of each of the times t, like t."""
        return torch.where(self.within(t), self.scale, 1.0)


NONE = Guidance()


def guided(weak: Tensor, strong: Tensor, scale: Tensor) -> Tensor:
    """weak + scale * (strong - weak), with weak and strong (B, ...) and scale (B,) or ().

    Any quantity that is linear in the prediction (velocity, data, noise, score) can be guided this way.

    >>> guided(torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([3.0]))
    tensor([4.])
    """
    return weak + factor(scale, strong) * (strong - weak)
