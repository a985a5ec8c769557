"""Where tensors live, and what they take there."""

import resource
import sys
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
"""What Linux says of this process."""


def pick(accelerator: str = "auto") -> torch.device:
    """The device that Lightning's `accelerator` of that name means, for work outside its Trainer."""
    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def count(device: torch.device) -> int:
    """How many of that type this machine has; a processor counts as one, whatever its cores."""
    return torch.cuda.device_count() if device.type == "cuda" else 1


def at_place(device: torch.device, place: int) -> torch.device:
    """That of the process at a place, from 0, among those of its machine that share the work."""
    return torch.device("cuda", place % torch.cuda.device_count()) if device.type == "cuda" else device


def name(device: torch.device) -> str:
    """A GPU's own name, or the kind of device.

    >>> name(torch.device("cpu"))
    'cpu'
    """
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def peak_memory_bytes() -> int:
    """The most this process has held: allocated on the GPU where there is one, resident elsewhere."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if STATUS.exists():  # of this program alone: ru_maxrss has what held the process before it, too
        (line,) = [line for line in STATUS.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
