import math
from statistics import NormalDist

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fm.components import known
from fm.paths import DDPM, EDM, CondOT, Path, VariancePreserving
from fm.timesteps import Timesteps, shifted

MANY = (torch.arange(100_000) + 0.5) / 100_000


def test_discrete_times_are_ddpms_thousand_states() -> None:
    t = Timesteps.of("discrete")(torch.tensor([0.0, 0.00099, 0.5004, 0.99999]), DDPM())
    torch.testing.assert_close(t, torch.tensor([0.0, 0.0, 0.5, 0.999]))


def test_logit_normal_has_its_mean_and_deviation() -> None:
    t = Timesteps.of({"name": "logit_normal", "mean": 0.5, "deviation": 0.8})(MANY, CondOT())
    logit = torch.logit(t.double())
    assert float(logit.mean()) == pytest.approx(0.5, abs=1e-3)
    assert float(logit.std()) == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("path", [EDM(), CondOT(), VariancePreserving()])
def test_edms_noise_levels_are_log_normal_on_any_path(path: Path) -> None:
    t = Timesteps.of("edm")(MANY.double(), path)
    level = path.ratio(t).log()
    assert float(level.median()) == pytest.approx(-1.2, abs=1e-3)
    below = float((level < 0).float().mean())
    assert below == pytest.approx(NormalDist(-1.2, 1.2).cdf(0), abs=1e-3)


@given(st.floats(0, 1), st.floats(0.1, 10))
def test_shift_keeps_the_ends_and_is_esser_et_al_equation_23(t: float, shift: float) -> None:
    n = 1 - t
    expected = 1 - shift * n / (1 + (shift - 1) * n)
    assert float(shifted(torch.tensor(t, dtype=torch.float64), shift)) == pytest.approx(expected, abs=1e-12)


def test_shift_moves_towards_noise_and_must_be_positive() -> None:
    assert bool((Timesteps.of("shifted")(MANY, CondOT()) < MANY).all())
    with pytest.raises(ValueError, match=r"shift = -1\.0: must be a number above 0"):
        Timesteps.of({"name": "shifted", "shift": -1.0})(MANY, CondOT())


@pytest.mark.parametrize("name", known("timesteps"))
@pytest.mark.parametrize("path", [CondOT(), EDM(), DDPM()])
def test_every_time_lies_on_the_path_whatever_the_number(name: str, path: Path) -> None:
    u = torch.tensor([0.0, 2.0**-24, 0.5, 1 - 2.0**-24])
    t = Timesteps.of(name)(u, path)
    assert t.dtype == torch.float32
    assert bool(((t >= 0) & (t <= 1)).all())
    assert bool((t.diff() >= 0).all())
    assert math.isfinite(float(path.sigma(t).sum()))


def test_unknown_names_and_options_are_told() -> None:
    with pytest.raises(ValueError, match="no timesteps 'beta': must be one of uniform"):
        Timesteps.of("beta")
    with pytest.raises(ValueError, match="has no option 'shift': it has none"):
        Timesteps.of({"name": "uniform", "shift": 1})
