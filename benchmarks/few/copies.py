"""Whether images are learnt by heart: how near they are to the training images, beside images that were held out."""

from typing import NamedTuple

import torch
from torch import Tensor

RARE = 0.01
AT_ONCE = 200


class Copies(NamedTuple):
    """How some images lie to those that were trained on, pixel by pixel.

    Attributes:
        nearness: median distance to the nearest training image, in that of the held-out images: below 1 they are nearer
            than new images are, which blurred ones are too.
        copied: share whose nearest training image is so much nearer than the second nearest as it is for one of a
            hundred held-out images: RARE where they are new, 1 where all are copies. Blur does not matter here.
    """

    nearness: float
    copied: float


def copies(made: Tensor, train: Tensor, held_out: Tensor) -> Copies:
    """Each (N, pixels) on one device.

    >>> train, held_out, new = torch.randn(3, 500, 8, generator=torch.Generator().manual_seed(0))
    >>> copies(train[:100] + 0.01, train, held_out).copied, copies(new, train, held_out).copied < 0.1
    (1.0, True)
    """
    of_made, of_held_out = nearest_two(made, train), nearest_two(held_out, train)
    rare = torch.quantile(of_held_out[:, 0] / of_held_out[:, 1], RARE)
    return Copies(
        nearness=float(of_made[:, 0].median() / of_held_out[:, 0].median()),
        copied=float((of_made[:, 0] / of_made[:, 1] <= rare).float().mean()),
    )


def nearest_two(images: Tensor, train: Tensor) -> Tensor:
    """Distances to the two nearest, (N, 2)."""
    parts = [torch.cdist(some, train).topk(2, largest=False).values for some in images.split(AT_ONCE)]
    return torch.cat(parts).clamp(min=1e-6)
