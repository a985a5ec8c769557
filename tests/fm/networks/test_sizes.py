"""A network of sizes alone: as the real one in shape, at no cost."""

import subprocess
import sys

import pytest

from fm.components import known
from fm.conditions import Label, Sequence
from fm.networks import Network
from fm.networks.sizes import sizes_alone

FIELDS = {"label": Label(10), "text": Sequence(width=8, length=4)}
MADE = """
import sys
from fm.networks import Network
from fm.networks.sizes import sizes_alone
with sizes_alone():
    Network.of("{name}").build((1, 8, 8), {{}})
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("name", list(known("network")))
def test_it_has_the_shapes_of_the_real_one_and_no_numbers(name: str) -> None:
    until = not name.startswith("diffusers")  # which know none
    real = Network.of(name).build((1, 8, 8), FIELDS, until)
    with sizes_alone():
        sized = Network.of(name).build((1, 8, 8), FIELDS, until)
    tensors = [*sized.parameters(), *sized.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert [tensor.shape for tensor in tensors] == [tensor.shape for tensor in (*real.parameters(), *real.buffers())]


@pytest.mark.parametrize("name", list(known("network")))
def test_what_compiles_is_not_imported_for_it(name: str) -> None:
    """A second of every command that loads a generator."""
    done = subprocess.run([sys.executable, "-c", MADE.format(name=name)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
