"""In which numbers a network is evaluated. Integration stays in float32 or better whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from fm.arithmetic import float32_products
from fm.lazy import torch

Precision = Literal["float32", "tf32", "bf16"]
"""`float32` in full; `tf32`: products of matrices and convolutions in TensorFloat-32 (19 bits) on GPUs that have it,
float32 elsewhere; `bf16`: those in bfloat16 by autocast."""


@contextmanager
def evaluating(precision: Precision, device: torch.device) -> Iterator[None]:
    """A network that is called within is evaluated so.

    >>> with evaluating("bf16", torch.device("cpu")):
    ...     (torch.eye(2) @ torch.eye(2)).dtype
    torch.bfloat16
    """
    if precision == "bf16":
        with torch.autocast(device.type, torch.bfloat16):
            yield
    elif device.type == "cuda":
        # PyTorch's default has products of matrices in full and convolutions not, which is neither.
        with float32_products("tf32" if precision == "tf32" else "ieee"):
            yield
    else:
        yield
