"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598), if wanted within an interval of time only
(Kynkaanniemi et al. 2024, arXiv 2404.07724)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fm.paths import like

Prediction = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Guidance:
    """scale 1 means none; outside `interval`, both ends included, there is none either."""

    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)

    def acts_at(self, t: Tensor) -> bool:
        """Whether any of the times t (B,) is guided, so that the network must be asked twice."""
        return self.scale != 1 and bool(self.within(t).any())

    def within(self, t: Tensor) -> Tensor:
        return (t >= self.interval[0]) & (t <= self.interval[1])


NONE = Guidance()


def guided(predict: Prediction, t: Tensor, labels: Tensor, no_label: int, guidance: Guidance) -> Tensor:
    """unconditional + scale * (conditional - unconditional), which costs two calls; without guidance one.

    Any quantity that is linear in the prediction (velocity, data, noise, score) can be guided this way.

    Args:
        predict: what the network says, (B, ...), given labels int64 (B,).
        t: times (B,), which decide where an interval of guidance acts.
    """
    conditional = predict(labels)
    if not guidance.acts_at(t):
        return conditional
    unconditional = predict(torch.full_like(labels, no_label))
    scale = torch.where(guidance.within(t), guidance.scale, 1.0).to(conditional)
    return unconditional + like(scale, conditional) * (conditional - unconditional)
