"""A network that is called by torch.compile."""

from typing import Any

import torch
from torch import Tensor, nn

from fm.networks.converted import Converted, unconverted

COMPILING = "compiling the network, which takes minutes the first time"


class Compiled(nn.Module):
    """Answers as the network does, but for rounding: sums are taken in another order. Of a network that is converted,
    the factors are made as always: they are few numbers, in float64.

    It is compiled at the first call with each size of batch, which takes minutes for a large network. On a GPU calls
    are CUDA graphs, which spare a small batch the time that it takes to ask for its work.

    >>> Compiled(nn.Linear(2, 3)).network
    Linear(in_features=2, out_features=3, bias=True)
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        on_gpu = next(network.parameters()).device.type == "cuda"
        compiled: Any = torch.compile(unconverted(network), dynamic=False, mode="reduce-overhead" if on_gpu else None)
        self.compiled: Any = network.around(compiled) if isinstance(network, Converted) else compiled

    def forward(self, *inputs: Any, **more: Any) -> Tensor:
        out: Tensor = self.compiled(*inputs, **more)
        return out.clone()  # the next call of a CUDA graph writes over its last answer
