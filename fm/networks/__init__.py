"""Networks by name, all with one call: network(x, t, condition, until=None) -> tensor like x."""

from typing import Any

from torch import nn

from fm.networks.transformer import Transformer
from fm.networks.unet import UNet

NETWORKS: dict[str, type[nn.Module]] = {"unet": UNet, "transformer": Transformer}


def build(kind: str, channels: int, image_size: int, num_classes: int, **sizes: Any) -> nn.Module:
    """A network of `kind` with random weights. Raises ValueError for a kind or size that cannot be."""
    if kind not in NETWORKS:
        raise ValueError(f"no network {kind!r}: there are {', '.join(NETWORKS)}")
    return NETWORKS[kind](channels=channels, image_size=image_size, num_classes=num_classes, **sizes)
