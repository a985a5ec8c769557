"""Flow matching with diffusion inside it.

A method is a probability path, a coupling, a timestep distribution, a prediction target and a loss weight.
Conventions: t = 0 is noise and t = 1 is data; x0 is noise and x1 is data; images are float (B, C, H, W) in
[-1, 1] inside and uint8 (B, H, W, C) outside; t has shape (B,); the network's last label means "no label".
"""

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""How OpenMP's threads wait for each other. By themselves they spin, and on a machine that others use too a training
then gets half of its share. GNU's OpenMP reads it once, when PyTorch is imported."""
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ.update(WAITING)

if TYPE_CHECKING:
    from fm.generator import Generator

__all__ = ["Generator", "__version__"]


def __getattr__(name: str) -> Any:
    """`fm.Generator`, imported when it is asked for: settings are checked without waiting for PyTorch."""
    if name == "Generator":
        from fm.generator import Generator

        return Generator
    raise AttributeError(f"module 'fm' has no attribute {name!r}")
