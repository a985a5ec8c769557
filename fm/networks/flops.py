"""What a call of a network costs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fm.conditions import Condition

ON_THE_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""The one kernel of attention that PyTorch's counter (2.14) does not know."""


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
    counter = FlopCounterMode(display=False, custom_mapping={ON_THE_CPU: of_attention})
    with counter:
        network(x, t, under)
    return int(counter.get_total_flops())


def of_attention(queries: Sequence[int], keys: Sequence[int], values: Sequence[int], *others: Any, **more: Any) -> int:
    """Of such shapes, each (B, heads, tokens, width): queries with keys, and their shares with values.

    >>> of_attention((1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 4))
    480
    """
    batch, heads, count, width = queries
    return 2 * batch * heads * count * keys[2] * (width + values[3])
