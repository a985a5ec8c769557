"""diffusers' AutoencoderTiny: plain convolutions to a coarser grid, and back. Modules are called as there, so that
weights fit by their names."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.networks.autoencoder_network import CERTAIN, AutoencoderNetwork
from fm.networks.autoencoder_tiny import AutoencoderTiny

MOST = 3.0
"""What latents are bent to stay within."""


class AutoencoderTinyNetwork(AutoencoderNetwork):
    """Answers as AutoencoderTiny does of the same weights; what it decodes of a point depends on near ones alone.

    >>> options = AutoencoderTiny(
    ...     encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
    ...     num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1),
    ... )
    >>> AutoencoderTinyNetwork(options)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, options: AutoencoderTiny) -> None:
        super().__init__()
        self.encoder = Layers(encoder_layers(options))
        self.decoder = Layers(decoder_layers(options))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.encoder((x + 1) / 2)  # its pictures are from 0 to 1
        return mean, torch.full_like(mean, CERTAIN)

    def decode(self, z: Tensor) -> Tensor:
        made: Tensor = 2 * self.decoder((z / MOST).tanh() * MOST) - 1
        return made


def encoder_layers(options: AutoencoderTiny) -> list[nn.Module]:
    width = options.encoder_block_out_channels[0]
    layers: list[nn.Module] = []
    for level, count in enumerate(options.num_encoder_blocks):
        if level == 0:
            layers.append(nn.Conv2d(options.in_channels, width, 3, padding=1))
        else:
            layers.append(nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False))
        layers += [Block(width) for _ in range(count)]
    return [*layers, nn.Conv2d(width, options.latent_channels, 3, padding=1)]


def decoder_layers(options: AutoencoderTiny) -> list[nn.Module]:
    width = options.decoder_block_out_channels[0]
    *counts, last = options.num_decoder_blocks
    layers: list[nn.Module] = [nn.Conv2d(options.latent_channels, width, 3, padding=1), nn.ReLU()]
    for count in counts:
        layers += [Block(width) for _ in range(count)]
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False)]
    return [*layers, *(Block(width) for _ in range(last)), nn.Conv2d(width, options.in_channels, 3, padding=1)]


class Layers(nn.Module):
    """One after the other.

    >>> Layers([nn.ReLU()])(torch.tensor([-1.0, 1.0]))
    tensor([0., 1.])
    """

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return made


class Block(nn.Module):
    """Three convolutions beside a way past them.

    >>> Block(8)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second, third = (nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.conv = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + x)
