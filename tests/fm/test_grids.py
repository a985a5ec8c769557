import math

import pytest
import torch

from fm.components import known
from fm.grids import time_grid
from fm.paths import EDM, CondOT, Path


@pytest.mark.parametrize("path", known("path"))
@pytest.mark.parametrize("name", known("grid"))
@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_rises_strictly_within_the_times_given(path: str, name: str, steps: int) -> None:
    for t0, t1 in ((0.0, 1.0), (0.1, 0.9), Path.of(path).interval):
        times = time_grid(name, Path.of(path), steps, t0, t1)
        assert times.dtype == torch.float64
        assert times.shape == (steps + 1,)
        assert bool((times.diff() > 0).all())
        assert float(times[-1]) == t1
        assert float(times[0]) >= t0 - 1e-12
        assert name == "edm" or float(times[0]) == t0


def test_uniform_and_shifted_and_cosine() -> None:
    expected = {
        "uniform": [0, 0.25, 0.5, 0.75, 1],
        "shifted": [0, 0.1, 0.25, 0.5, 1],
        "cosine": [1 - math.cos(math.pi / 8 * i) for i in range(5)],
    }
    for name, times in expected.items():
        assert time_grid(name, CondOT(), 4, 0, 1).tolist() == pytest.approx(times, abs=1e-12), name


@pytest.mark.parametrize("path", [EDM(), CondOT()])
def test_edms_levels_are_karras_et_al_equation_5(path: object) -> None:
    times = time_grid("edm", path, 18, 0.0, 1.0)
    i = torch.arange(18, dtype=torch.float64)
    expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    torch.testing.assert_close(path.ratio(times[:-1]), expected, rtol=1e-9, atol=0)
    assert float(path.sigma(times[-1])) == 0


def test_no_steps_are_refused() -> None:
    for name in known("grid"):
        with pytest.raises(ValueError, match="at least 1"):
            time_grid(name, CondOT(), 0, 0, 1)
