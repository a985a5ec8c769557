"""What networks of diffusers have in common. Modules are called as there, so that weights fit by their names."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition, Label, Spec


def require_known(
    name: str, shape: Sequence[int], fields: Mapping[str, Spec], until: bool, classes: int, multiple: int
) -> None:
    """Raises ValueError where such a network is none for these data.

    Args:
        classes: labels that it knows. Data may have one less: its last is "no label" then.
        multiple: what the sides of images have to be multiples of.
    """
    if until:
        raise ValueError(f"network {name!r} cannot be told where a step ends")
    if len(shape) != 3 or any(side % multiple for side in shape[1:]):
        raise ValueError(
            f"network {name!r} is for images with sides that are multiples of {multiple}, not {list(shape)}"
        )
    have = fields.get("label")
    if classes and isinstance(have, Label) and have.count not in (classes, classes - 1):
        raise ValueError(
            f"network {name!r} knows {classes} labels, and the data have {have.count}: they must be the same"
        )


class TimestepEmbedding(nn.Module):
    """Sines and cosines of a timestep, and two linear layers.

    >>> TimestepEmbedding(8, 16, flip=True, shift=0.0)(torch.tensor([999.0, 0.5])).shape
    torch.Size([2, 16])
    """

    def __init__(self, frequencies: int, width: int, flip: bool, shift: float) -> None:
        super().__init__()
        self.count, self.flip, self.slowest = frequencies // 2, flip, frequencies // 2 - shift
        self.linear_1 = nn.Linear(frequencies, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, timestep: Tensor) -> Tensor:
        """timestep (B,), whole or not -> (B, width)."""
        exponents = torch.arange(self.count, device=timestep.device, dtype=timestep.dtype) / self.slowest
        angles = timestep[:, None] * torch.exp(-math.log(10_000) * exponents)
        waves = [angles.cos(), angles.sin()] if self.flip else [angles.sin(), angles.cos()]
        seen: Tensor = self.linear_1(torch.cat(waves, dim=1).to(self.linear_1.weight.dtype))
        made: Tensor = self.linear_2(F.silu(seen))
        return made


class Attention(nn.Module):
    """Every point of a sequence looks at all of them.

    >>> Attention(16, heads=2)(torch.zeros(3, 5, 16)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(self, width: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=bias) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, h: Tensor) -> Tensor:
        """h (B, points, width)."""
        shape = (*h.shape[:2], self.heads, -1)
        q, k, v = (one(h).reshape(shape).transpose(1, 2) for one in (self.to_q, self.to_k, self.to_v))
        made: Tensor = self.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return made


def timestep_of(t: Tensor, timesteps: int) -> Tensor:
    """Their time at ours: state k + 1 of a chain is their k (tests.parity.schedulers)."""
    return (1 - t) * timesteps - 1


def label_of(condition: Condition, t: Tensor, classes: int) -> Tensor:
    """Of each datum; the index after the last, "no label", where nothing says one or none is known."""
    if classes and "label" in condition:
        return condition["label"]
    return torch.full_like(t, classes, dtype=torch.int64)
