"""What a call of a network costs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def flops_of_a_call(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """Floating-point operations of one call for one image of `shape` (C, H, W), by PyTorch's counter.

    Matrix products, convolutions and attention count; a training step costs about three times as many an image.
    """
    like = next(network.parameters())
    x, t = like.new_zeros(1, *shape), like.new_zeros(1)
    condition = {"label": torch.zeros(1, dtype=torch.int64, device=like.device)}
    counter = FlopCounterMode(display=False)
    with counter:
        network(x, t, condition)
    return int(counter.get_total_flops())
