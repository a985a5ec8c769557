"""Networks of random weights, none of which is zero."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from fm.conditions import Spec
from fm.networks import Network


def random(options: Network, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False) -> nn.Module:
    """The same each time."""
    torch.manual_seed(0)
    network = options.build(shape, fields, until)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.2)
    return network
