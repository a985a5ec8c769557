"""PyTorch is there for whoever computes, and not for whoever only reads declarations."""

import subprocess
import sys

import pytest
import torch

from fm import lazy

DECLARATIONS = """
import sys
from fm.components import HOMES, known
assert all(known(kind) for kind in HOMES)
print(*sys.modules.keys() & {"lightning", "pydantic", "safetensors", "scipy", "sklearn", "torch"})
"""


def test_it_is_the_module_itself_once_it_is_asked() -> None:
    assert lazy.torch.ones_like is torch.ones_like
    assert "ones_like" in vars(lazy.torch)
    with pytest.raises(AttributeError, match="module 'torch' has no attribute 'twos_like'"):
        _ = lazy.torch.twos_like


def test_every_kind_of_component_is_declared_without_it() -> None:
    done = subprocess.run([sys.executable, "-c", DECLARATIONS], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
