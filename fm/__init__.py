"""Flow matching with diffusion inside it.

A method is a probability path, a coupling, a timestep distribution, a prediction target and a loss weight.
Conventions: t = 0 is noise and t = 1 is data; x0 is noise and x1 is data; t has shape (B,). Inside data are float
(B, C, *spatial), pixels in [-1, 1]; outside they are as stored, images uint8 (B, H, W, C), and a codec is in between.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""How OpenMP's threads wait for each other. By themselves they spin, and on a machine that others use too a training
then gets half of its share. GNU's OpenMP reads it once, when PyTorch is imported."""
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ.update(WAITING)

if TYPE_CHECKING:
    from fm.batches import Budget, Examples
    from fm.codecs import Pixels, Standardised
    from fm.conditions import Labels, Unconditional
    from fm.config import Config, SamplerConfig
    from fm.data.rows import Arrays
    from fm.generator import Generator
    from fm.metrics import frechet_distance
    from fm.objectives import Regression
    from fm.training.loop import fit, untrained

FRONT = {
    "Arrays": "fm.data.rows",
    "Budget": "fm.batches",
    "Config": "fm.config",
    "Examples": "fm.batches",
    "Generator": "fm.generator",
    "Labels": "fm.conditions",
    "Pixels": "fm.codecs",
    "Regression": "fm.objectives",
    "SamplerConfig": "fm.config",
    "Standardised": "fm.codecs",
    "Unconditional": "fm.conditions",
    "fit": "fm.training.loop",
    "frechet_distance": "fm.metrics",
    "untrained": "fm.training.loop",
}
"""What a first program needs, and where each is: imported when it is asked for, so that settings are checked without
waiting for PyTorch."""

__all__ = [
    "Arrays",
    "Budget",
    "Config",
    "Examples",
    "Generator",
    "Labels",
    "Pixels",
    "Regression",
    "SamplerConfig",
    "Standardised",
    "Unconditional",
    "__version__",
    "fit",
    "frechet_distance",
    "untrained",
]


def __getattr__(name: str) -> Any:
    if name in FRONT:
        return getattr(import_module(FRONT[name]), name)
    raise AttributeError(f"module 'fm' has no attribute {name!r}")
