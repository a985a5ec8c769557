"""Tensors of which each of several processes holds a part (PyTorch's DTensor), and those that are whole, alike."""

from collections.abc import Iterable
from typing import cast

from torch import Tensor

# Asked by what they can do: to import DTensor takes half a second, which a single process need not wait for.


def local(values: Iterable[Tensor]) -> list[Tensor]:
    """Of each tensor the part that this process holds, which is all of it where it is not divided.

    >>> import torch
    >>> local([torch.ones(2)])
    [tensor([1., 1.])]
    """
    return [value.to_local() if hasattr(value, "to_local") else value for value in values]


def undivided(value: Tensor) -> Tensor:
    """All of a tensor; where it is divided every process that holds a part has to ask.

    >>> import torch
    >>> undivided(torch.ones(2))
    tensor([1., 1.])
    """
    return cast(Tensor, value.full_tensor()) if hasattr(value, "full_tensor") else value
