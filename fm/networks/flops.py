"""What a call of a network costs."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fm.conditions import Condition


@torch.no_grad()
def flops_of_a_call(network: nn.Module, shape: Sequence[int], condition: Condition) -> int:
    """Floating-point operations of one call for one datum of `shape` (C, *spatial), by PyTorch's counter.

    Matrix products, convolutions and attention count; a training step costs about three times as many a datum.

    Args:
        condition: of one datum, whatever it says; on any device.
    """
    like = next(network.parameters())
    x, t = like.new_zeros(1, *shape), like.new_zeros(1)
    under = {name: value.to(like.device) for name, value in condition.items()}
    counter = FlopCounterMode(display=False)
    with counter:
        network(x, t, under)
    return int(counter.get_total_flops())
