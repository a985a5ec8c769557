"""A network for videos that begins as a network for pictures: its weights, with one axis more (Carreira & Zisserman
2017, arXiv 1705.07750, section 2.3, with the frames in the middle alone; Blattmann et al. 2023, arXiv 2304.08818).

    take_picture_weights(video_network, picture_network.state_dict())
"""

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.networks.grids import sides_of
from fm.networks.transformer_network import Transformer
from fm.networks.unet_network import UNet

ALONG = "along."
"""What the names of the weights have that look along the first axis, of which a network for pictures has none."""


@torch.no_grad()
def take_picture_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a network of random weights those of one with the same options and an axis less, so that it says of every
    frame of a still video what that one says of the picture; of attention along the first axis nothing is added yet.

    Kernels have the picture's in the middle and zeros before and behind. Where a patch holds several frames, each has
    its share on the way in, and on the way out all have the same.

    Args:
        network: a UNet or a transformer for data (C, frames, *shape of a picture's grid).
        weights: of the network for pictures, by name.

    Raises:
        ValueError: they do not fit, or its attention is such that no weights could say the same; nothing is changed.

    >>> from fm.networks import UNetOptions
    >>> picture = UNetOptions(width=8).build((1, 8, 8), {})
    >>> video = UNetOptions(width=8, patch_size=(1, 2, 2)).build((1, 4, 8, 8), {})
    >>> take_picture_weights(video, picture.state_dict())
    >>> torch.equal(video.first.weight[:, :, 1], picture.first.weight)
    True
    """
    network = inflatable(network)
    wanted = {name: value for name, value in network.state_dict().items() if ALONG not in name}
    if wanted.keys() != weights.keys():
        other = min(wanted.keys() ^ weights.keys())
        raise ValueError(
            f"the weights are not those of such a network for pictures: {other} is there on one side alone"
        )
    frames, *sides = sides_of(network.patch_size, len(network.grid))
    taken = {}
    for name, value in weights.items():
        shared = among_frames(name, value, frames, prod(sides))
        taken[name] = in_the_middle(shared, wanted[name].shape) if shared.ndim < wanted[name].ndim else shared
        if taken[name].shape != wanted[name].shape:
            raise ValueError(
                f"the weights are not those of such a network for pictures: {name} is {list(value.shape)}, of which "
                f"{list(wanted[name].shape)} cannot be made"
            )
    network.load_state_dict(taken, strict=False)


def inflatable(network: nn.Module) -> UNet | Transformer:
    """The network. Raises ValueError where it cannot say what a network for pictures says, whatever its weights."""
    if not isinstance(network, UNet | Transformer) or len(network.grid) < 2:
        raise ValueError("only a unet or a transformer for data along 2 axes or more has one for an axis less")
    if not network.factorised and isinstance(network, Transformer):
        raise ValueError("a transformer tells places in a frame as one for pictures does only if it is factorised")
    if not network.factorised and network.token_width is not None:
        raise ValueError(
            "a unet under a condition with tokens says what one for pictures does only if it is factorised: among the "
            "points of all frames a token counts for less than among those of one"
        )
    return network


def among_frames(name: str, value: Tensor, frames: int, numbers: int) -> Tensor:
    """A weight for patches of several frames, each of so many numbers a channel, in the order of `cut`."""
    layer, _, kind = name.partition(".")
    if layer == "first" and kind == "weight":
        split = value.reshape(len(value), -1, 1, numbers, *value.shape[2:]) / frames
        return split.repeat_interleave(frames, dim=2).flatten(1, 3)
    if layer == "last":
        split = value.reshape(-1, 1, numbers, *value.shape[1:])
        return split.repeat_interleave(frames, dim=1).flatten(0, 2)
    return value


def in_the_middle(kernel: Tensor, shape: torch.Size) -> Tensor:
    """A kernel (outputs, inputs, *sides) in one of `shape` (outputs, inputs, frames, *sides), zero elsewhere.

    >>> in_the_middle(torch.ones(1, 1, 1), torch.Size((1, 1, 3, 1))).flatten()
    tensor([0., 1., 0.])
    """
    before = shape[2] // 2
    beyond = [0, 0] * (kernel.ndim - 2) + [before, shape[2] - 1 - before]
    return F.pad(kernel.unsqueeze(2), beyond)
