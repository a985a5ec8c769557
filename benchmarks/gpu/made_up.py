"""Data, networks and batches to try things on: nothing is downloaded."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from fm.batches import Batch, Batches, Budget, Examples
from fm.codecs import Pixels
from fm.conditions import Label, Labels
from fm.config import Config, SamplerConfig
from fm.data.rows import Arrays
from fm.generator import Generator
from fm.networks import Network
from fm.networks.layers import in_channels_last

NAMES = tuple("0123456789")
ROWS = 512


def examples(shape: Sequence[int], rows: int = ROWS) -> Examples:
    """Random pictures of a shape (C, H, W), with labels."""
    channels, *spatial = shape
    random = np.random.default_rng(0)
    data = random.integers(0, 256, (rows, *spatial, channels), dtype=np.uint8)
    return Examples(Arrays({"data": data, "label": np.arange(rows) % 10}), Pixels((*spatial, channels)), Labels(NAMES))


def batch_of(shape: Sequence[int], size: int, device: torch.device, dtype: torch.dtype = torch.float32) -> Batch:
    budget = Budget(images_seen=size, batch_size=size, learning_rate=1e-4)
    batch = Batches(examples(shape), budget)[0]
    return batch._replace(data=batch.data.to(dtype)).to(device)


def network_of(shape: Sequence[int], options: dict[str, Any], until: bool = False) -> nn.Module:
    """Of random weights that are small and not zero: a network that says 0 agrees with any other."""
    torch.manual_seed(0)
    network = in_channels_last(Network.of(options).build(tuple(shape), {"label": Label(len(NAMES))}, until=until))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.02)
    return network.eval()


def copied(network: nn.Module, device: torch.device, dtype: torch.dtype = torch.float32) -> nn.Module:
    return copy.deepcopy(network).to(device, dtype)


def generator_of(shape: Sequence[int], options: dict[str, Any], sampler: SamplerConfig) -> Generator:
    channels, *spatial = shape
    config = Config(
        path="cond_ot",
        target="velocity",
        network=options,
        codec={"name": "pixels", "stored": [*spatial, channels]},
        conditioner={"name": "labels", "names": list(NAMES)},
        sampler=sampler,
    )
    return Generator(config, network_of(shape, options))
