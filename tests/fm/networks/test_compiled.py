import shutil

import pytest
import torch

from fm.generator import Generator
from fm.networks.compiled import Compiled
from fm.networks.converted import Converted
from fm.paths import DDPM, CondOT
from fm.targets import V, Velocity
from tests.fm.conftest import tiny_generator
from tests.fm.test_waiting import Scales


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
@pytest.mark.parametrize("converted", [False, True])
def test_compiled_it_makes_the_same_images_but_for_rounding(converted: bool) -> None:
    network = Converted(Scales(), DDPM(), V(), CondOT(), Velocity()) if converted else Scales()
    plain = Generator(tiny_generator().config, network)
    compiled = plain.evaluated(compiled=True)
    assert isinstance(compiled.network, Compiled)
    assert plain.network is compiled.network.network
    drawn, expected = (one.sample_float(5, 0, batch_size=3)[0] for one in (compiled, plain))
    torch.testing.assert_close(drawn, expected, rtol=1e-5, atol=1e-6)
