"""Whether a device computes what the CPU does.

What is right is what float64 on the CPU says. The device's error in a lower precision may be a few times the CPU's own
in the same precision: no tolerance is made up that would hide a mistake, or call rounding one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.gpu.rows import Check, Fault, Row

CPU = torch.device("cpu")
TIMES = {torch.float32: 16, torch.bfloat16: 3}
"""So many times the CPU's error: other orders of sums, and in float32 algorithms of convolutions that round more."""
FLOOR = {torch.float32: 2e-6, torch.bfloat16: 4e-3}
"""A few units in the last place, for what the CPU happens to round perfectly."""


class Place(NamedTuple):
    """Where something is computed, and in which precision; bfloat16 means float32 under autocast, as in training."""

    device: torch.device
    dtype: torch.dtype

    @property
    def stored(self) -> torch.dtype:
        return torch.float32 if self.dtype == torch.bfloat16 else self.dtype

    def autocast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16) if self.dtype == torch.bfloat16 else nullcontext()


Computed = Callable[[Place], Sequence[Tensor]]


def compared(what: str, computed: Computed, device: torch.device, dtype: torch.dtype = torch.float32) -> Row:
    """One row, whatever happens."""
    name = f"{what}, {'bf16' if dtype == torch.bfloat16 else 'float32'}"
    try:
        right = at(computed, Place(CPU, torch.float64))
        by_cpu = distance(at(computed, Place(CPU, dtype)), right)
        by_device = distance(at(computed, Place(device, dtype)), right)
    except ImportError as error:
        return Fault(name, f"left out: {error}")
    except Exception as error:
        return failed(name, error)
    return Check(name, by_device, TIMES[dtype] * by_cpu + FLOOR[dtype])


def at(computed: Computed, place: Place) -> list[Tensor]:
    with place.autocast():
        return [one.detach().to(CPU, torch.float64) for one in computed(place)]


def distance(ours: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """The largest difference, of each tensor in units of its largest number."""
    pairs = zip(ours, right, strict=True)
    return float(torch.stack([(a - b).abs().max() / b.abs().max().clamp(min=1e-30) for a, b in pairs]).max())


def same_bits(what: str, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> Check:
    """How many tensors of two networks are not the same, of which none may be."""
    differ = [name for name in ours if not torch.equal(ours[name].cpu(), theirs[name].cpu())]
    return Check(what, len(differ) + len(ours.keys() ^ theirs.keys()), 0)


def failed(what: str, error: Exception) -> Check:
    """What cannot be computed does not hold either."""
    first = (str(error).strip() or "no reason given").splitlines()[0]
    return Check(f"{what}: {type(error).__name__}: {first}", float("inf"), 0)


def attempted(what: str, rows: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    """The rows as far as they come; then, if something fails, that."""
    try:
        yield from rows()
    except ImportError as error:
        yield Fault(what, f"left out: {error}")
    except Exception as error:
        yield failed(what, error)
