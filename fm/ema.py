"""Averaged weights."""

from collections.abc import Callable
from typing import Any

import torch


def ema_with_warmup(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential moving average whose decay grows to `decay` as min(decay, (1 + n) / (10 + n)).

    With n averaged updates behind it, young averages forget their random start quickly (the rule of TensorFlow's
    ExponentialMovingAverage). For torch.optim.swa_utils.AveragedModel's `multi_avg_fn`.
    """

    @torch.no_grad()
    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], updates: torch.Tensor) -> None:
        n = float(updates)
        current = [value.to(mean) for value, mean in zip(current, averaged, strict=True)]  # where precisions differ
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))

    return update
