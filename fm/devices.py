"""Where tensors live, and what they take there."""

import resource
import sys

import torch


def pick(accelerator: str = "auto") -> torch.device:
    """The device that Lightning's `accelerator` of that name means, for work outside its Trainer."""
    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def peak_memory_bytes() -> int:
    """The most this process has held: allocated on the GPU where there is one, resident elsewhere."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
