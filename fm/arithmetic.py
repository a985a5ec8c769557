"""How a network is computed with: what is chosen by itself on a device, why, and holding PyTorch to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

from fm.lazy import torch

AUTO, TF32 = "auto", "tf32"
Products = Literal["ieee", "tf32"]


@dataclass(frozen=True)
class Arithmetic:
    """What the choices of a training came to. Figures name it, and a training that is resumed keeps to it.

    Attributes:
        precision: as lightning.Trainer takes it.
        products: how float32 matrices are multiplied and convolved: all bits of float32 (ieee), or tf32, whose
            products are of 10 bits and whose sums are of all.
        fused: whether AdamW is one kernel.
        compiled: whether the network is compiled by torch.compile.
        parts: that a batch is cut into, one after the other, their gradients added up.
        recomputed: whether what lies inside a network's blocks is computed again for the gradient, not kept.

    >>> Arithmetic("32-true").products
    'ieee'
    """

    precision: str
    products: Products = "ieee"
    fused: bool = False
    compiled: bool = False
    parts: int = 1
    recomputed: bool = False


def precision_on(device: torch.device, asked: str = AUTO) -> tuple[str, Products]:
    """What Lightning's precision and the products of float32 come to on a device, where `asked` is `auto`.

    A GPU that has bfloat16 multiplies in it some 15 times as fast as in float32, by NVIDIA's tables of the A100 and the
    H100; its range is float32's, so that gradients need no scaling. What stays float32 there, and all on GPUs without
    bfloat16, multiplies in TF32 where the GPU has that. Only who asks for 32 or 64 bits has all of them in products.

    >>> precision_on(torch.device("cpu")), precision_on(torch.device("cpu"), "tf32")
    (('32-true', 'ieee'), ('32-true', 'tf32'))
    """
    if asked == TF32:
        return "32-true", "tf32"
    if asked != AUTO:
        return asked, "ieee" if asked.startswith(("32", "64")) else "tf32"
    if device.type != "cuda":
        return "32-true", "ieee"
    return ("bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"), "tf32"


OF_16_BITS = ("16-true", "bf16-true")
"""Lightning's names for weights that are kept in 16 bits."""


def whole_weights(precision: str, sharded: bool = False) -> bool:
    """Whether a network has float32's weights where it is called: not where they are kept in 16 bits, nor where they
    are divided among processes and come together in 16.

    >>> whole_weights("bf16-mixed"), whole_weights("bf16-mixed", sharded=True), whole_weights("bf16-true")
    (True, False, False)
    """
    return precision not in OF_16_BITS and not (sharded and precision == "bf16-mixed")


@contextmanager
def float32_products(kind: Products) -> Iterator[None]:
    """Products of float32 on a GPU are of this kind meanwhile.

    >>> with float32_products("tf32"):
    ...     torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    ('high', True)
    """
    # PyTorch's newer names for the same (fp32_precision) make the older ones raise, by which Lightning asks.
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    set_products("high" if kind == "tf32" else "highest", kind == "tf32")
    try:
        yield
    finally:
        set_products(*before)


def set_products(of_matrices: str, of_convolutions: bool) -> None:
    torch.set_float32_matmul_precision(of_matrices)
    torch.backends.cudnn.allow_tf32 = of_convolutions


@contextmanager
def in_full(device: torch.device) -> Iterator[bool]:
    """All bits of float32 in products there meanwhile, for what a few of them would drown; true if it was otherwise.

    >>> with torch.autocast("cpu", torch.bfloat16), in_full(torch.device("cpu")) as otherwise:
    ...     otherwise, (torch.eye(2) @ torch.eye(2)).dtype
    (True, torch.float32)
    """
    autocast = torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)
    shortened = torch.get_float32_matmul_precision() != "highest" or torch.backends.cudnn.allow_tf32
    if not autocast and not (device.type == "cuda" and shortened):
        yield False
        return
    with without_autocast(device), float32_products("ieee"):
        yield True


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Where gradients are made: those of lower precision are so already, by what went before."""
    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()
