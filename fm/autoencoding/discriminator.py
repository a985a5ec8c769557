"""A network that tells pictures that an autoencoder has made from real ones, patch by patch."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class Discriminator(nn.Module):
    """Convolutions that halve the grid, and a number for each patch: large for real ones.

    Isola et al. 2016, arXiv 1611.07004, with groups in place of batches for norms, so that no picture's answer depends
    on the others.

    >>> import torch
    >>> Discriminator(channels=1)(torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 1, 4, 4])
    """

    def __init__(self, channels: int, width: int = 32, halvings: int = 3) -> None:
        super().__init__()
        widths = [width * 2**number for number in range(halvings)]
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.GroupNorm(8, after),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.layers(x)
        return said


def told_apart(real: Tensor, made: Tensor) -> Tensor:
    """The hinge loss of a discriminator that says this of real and of made pictures (Lim & Ye 2017, arXiv 1705.02894),
    a scalar; 0 where it is sure.

    >>> import torch
    >>> told_apart(torch.tensor([1.0, 0.0]), torch.tensor([-1.0, -3.0]))
    tensor(0.2500)
    """
    return (F.relu(1 - real).mean() + F.relu(1 + made).mean()) / 2
