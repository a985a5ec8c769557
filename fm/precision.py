"""In which numbers a network is evaluated. Integration stays in float32 or better whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from fm.lazy import torch

Precision = Literal["float32", "tf32", "bf16"]
"""`float32` in full; `tf32`: products of matrices and convolutions in TensorFloat-32 (19 bits) on GPUs that have it,
float32 elsewhere; `bf16`: those in bfloat16 by autocast."""


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """What is evaluated within is evaluated so.

    >>> with arithmetic("bf16", torch.device("cpu")):
    ...     (torch.eye(2) @ torch.eye(2)).dtype
    torch.bfloat16
    """
    if precision == "bf16":
        with torch.autocast(device.type, torch.bfloat16):
            yield
        return
    if device.type != "cuda":
        yield
        return
    # PyTorch's default has products in full and convolutions not, which is neither.
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value
