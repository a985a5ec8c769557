"""Whether all numbers are finite, of which a training that diverges, or a damaged file, leaves none."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether each holds neither a NaN nor an infinity; a device is asked once for all of its tensors.

    >>> all_finite([torch.zeros(2), torch.tensor([torch.inf])])
    False
    """
    return bool(torch.stack([one.isfinite().all() for one in tensors]).all())


def not_finite(content: Any, name: str = "") -> Iterator[str]:
    """The dotted names of those tensors, in nested mappings and lists, that hold a NaN or an infinity."""
    if isinstance(content, Tensor):
        if not bool(content.isfinite().all()):
            yield name
    elif isinstance(content, Mapping | list | tuple):
        items = content.items() if isinstance(content, Mapping) else enumerate(content)
        for key, value in items:
            yield from not_finite(value, f"{name}.{key}" if name else str(key))
