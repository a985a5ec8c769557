"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598)."""

from collections.abc import Callable

import torch
from torch import Tensor

Call = Callable[[Tensor, Tensor, Tensor], Tensor]


def guided(call: Call, x: Tensor, t: Tensor, labels: Tensor, no_label: int, scale: float) -> Tensor:
    """unconditional + scale * (conditional - unconditional); scale 1 means none and costs one call, not two.

    Any quantity that is linear in the prediction (velocity, data, noise, score) can be guided this way.
    """
    conditional = call(x, t, labels)
    if scale == 1:
        return conditional
    unconditional = call(x, t, torch.full_like(labels, no_label))
    return unconditional + scale * (conditional - unconditional)
