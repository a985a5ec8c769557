"""Where tensors live."""

import torch


def pick(accelerator: str = "auto") -> torch.device:
    """The device that Lightning's `accelerator` of that name means, for work outside its Trainer."""
    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
