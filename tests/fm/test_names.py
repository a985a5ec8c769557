"""That no option from Python is what it cannot be; those of params.yaml are in tests/pipelines/test_params.py."""

from collections.abc import Callable

import pytest
import torch

from fm import custom, names, registry
from fm.config import SamplerConfig
from fm.couplings import Independent
from fm.field import Field
from fm.grids import EDM as EDMGrid
from fm.objectives import Regression
from fm.paths import EDM, CondOT, Polynomial, VariancePreserving, path_named
from fm.solvers.gaussian import ddim, dpmpp_2m, edm
from fm.solvers.ode import solve
from fm.timesteps import Discrete, LogitNormal, Shifted, Uniform, timesteps_named
from fm.weights import Flat, MinSNR
from tests.fm.conftest import tiny_generator
from tests.fm.gaussian_data import ends_of, start, velocity_of

TIMES = torch.linspace(0.1, 1, 3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: Discrete(0), "timesteps 'discrete': steps = 0: must be a whole number from 1 to 1e"),
        (lambda: Discrete(2.5), "timesteps 'discrete': steps = 2.5"),  # type: ignore[arg-type]
        (lambda: LogitNormal(deviation=-1.0), "timesteps 'logit_normal': deviation = -1.0: must be a number above 0"),
        (lambda: Shifted(float("nan")), "timesteps 'shifted': shift = nan"),
        (lambda: MinSNR(float("inf")), "weight 'min_snr': gamma = inf"),
        (lambda: EDMGrid(ratio_min=100.0), "grid 'edm': ratio_min = 100.0"),
        (lambda: EDM(float("nan")), "path 'edm': sigma_max = nan"),
        (lambda: EDM(-1.0), "path 'edm': sigma_max = -1.0"),
        (lambda: Polynomial("three"), "path 'polynomial': n = 'three'"),  # type: ignore[arg-type]
        (lambda: VariancePreserving(beta_min=-5.0), "path 'variance_preserving': beta_min = -5.0"),
        (lambda: path_named({"name": "edm", "sigma_max": [80]}), r"path 'edm': sigma_max = \[80\]"),
        (lambda: path_named({"name": "edm", "sigma": 80}), "path 'edm' has no option 'sigma': it has sigma_max"),
        (lambda: path_named("vp"), "no path 'vp': must be one of cond_ot, variance_preserving"),
        (lambda: path_named({"sigma_max": 80}), "must be a name, or have a name"),
        (lambda: timesteps_named({"name": "discrete", "steps": "x" * 10_000}), "steps = 'xxx.{70,90}: must be a whole"),
        (lambda: ddim(ends_of(CondOT()), CondOT(), start(), TIMES, eta=-3.0), "solver 'ddim': eta = -3.0"),
        (lambda: ddim(ends_of(CondOT()), CondOT(), start(), TIMES, clip=-1.0), "solver 'ddim': clip = -1.0"),
        (lambda: dpmpp_2m(ends_of(CondOT()), CondOT(), start(), TIMES, clip=0.0), "clip = 0.0: .*, or null"),
        (lambda: edm(ends_of(CondOT()), CondOT(), start(), TIMES, churn=-1.0), "solver 'edm': churn = -1.0"),
        (lambda: solve(velocity_of(CondOT()), start(), "dopri5", tolerance=0.0), "solver 'dopri5': tolerance = 0.0"),
        (lambda: SamplerConfig(solver={"name": "edm", "churn": "much"}, steps=5), "churn = 'much'"),
        (lambda: Regression(CondOT(), Independent(), Uniform(), "velocit", Flat()), "no target 'velocit': must be one"),
        (
            lambda: Regression.named("cond_ot", "independent", "uniform", "velocit", "flat"),  # type: ignore[arg-type]
            "no target 'velocit': must be one of velocity, data",
        ),
        (lambda: Field(torch.nn.Identity(), CondOT(), "velocit"), "no target 'velocit'"),
        (
            lambda: CondOT().convert(start(), start(), TIMES, "velocit", "velocit"),  # type: ignore[arg-type]
            "quantity 'velocit'",
        ),
    ],
)
def test_what_cannot_be_is_refused_from_python_too(made: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made()


@pytest.mark.parametrize("given", [{"guidance": float("inf")}, {"guidance": -1}, {"steps": 10**9}, {"solver": "dim"}])
def test_a_generators_sampler_is_refused_in_one_line(given: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(given))) as raised:
        tiny_generator().adjusted(**given)
    assert "\n" not in str(raised.value)


def test_an_option_may_be_null_where_that_is_its_default() -> None:
    free = ddim(ends_of(CondOT()), CondOT(), start(), TIMES, clip=None)
    assert torch.isfinite(free).all()
    assert names.read("solver", {"name": "ddim", "clip": None, "eta": "0.5"}, {}) == ("ddim", {"eta": 0.5})


def test_the_options_of_ones_own_are_its_own_business(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(shape: str = "round") -> str:
        return shape

    monkeypatch.setitem(custom.REGISTERED["grid"], "mine", mine)
    assert registry.build("grid", {"name": "mine", "shape": "a b/c"}, {}) == "a b/c"
    sampler = SamplerConfig(solver="ddim", grid={"name": "mine", "shape": "a b/c"}, steps=2)
    assert sampler.label == "ddim-grid_mine-shapea_b_c"
