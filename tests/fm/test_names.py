"""That no option from Python is what it cannot be; tests/pipelines/params has those of params.yaml."""

from collections.abc import Callable

import pytest
import torch

from fm.components import read
from fm.config import SamplerConfig
from fm.grids import EDM as EDMGrid
from fm.grids import Grid
from fm.objectives import Regression
from fm.paths import EDM, CondOT, Path, Polynomial, VariancePreserving
from fm.solvers.gaussian import DDIM, DPMSolver
from fm.solvers.gaussian import EDM as EDMSolver
from fm.solvers.ode import solve
from fm.targets import EDM as EDMTarget
from fm.targets import Target
from fm.timesteps import Discrete, LogitNormal, Shifted, Timesteps
from fm.weights import MinSNR
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
        (lambda: Path.of({"name": "edm", "sigma_max": [80]}), r"path 'edm': sigma_max = \[80\]"),
        (lambda: Path.of({"name": "edm", "sigma": 80}), "path 'edm' has no option 'sigma': it has sigma_max"),
        (lambda: Path.of("vp"), "no path 'vp': must be one of cond_ot, polynomial, cosine"),
        (lambda: Path.of({"sigma_max": 80}), "must be a name, or have a name"),
        (lambda: Timesteps.of({"name": "discrete", "steps": "x" * 10_000}), "steps = 'xxx.{70,90}: must be a whole"),
        (lambda: DDIM(eta=-3.0), "solver 'ddim': eta = -3.0"),
        (lambda: DDIM(clip=-1.0), "solver 'ddim': clip = -1.0: must be a number above 0 .*, or codec, or null"),
        (lambda: DPMSolver(clip=0.0), "solver 'dpmpp_2m': clip = 0.0"),
        (lambda: EDMSolver(churn=-1.0), "solver 'edm': churn = -1.0"),
        (lambda: EDMTarget(0.0), "target 'edm': sigma_data = 0.0: must be a number above 0 .*, or null"),
        (
            lambda: solve(velocity_of(CondOT()), start(), {"name": "dopri5", "tolerance": 0.0}),
            "solver 'dopri5': tolerance = 0.0",
        ),
        (lambda: solve(velocity_of(CondOT()), start(), "ddim"), "solver 'ddim' does not integrate a velocity"),
        (lambda: SamplerConfig(solver={"name": "edm", "churn": "much"}, steps=5), "churn = 'much'"),
        (
            lambda: Target.of("velocit"),
            r"no target 'velocit': must be one of velocity, data.*; did you mean velocity\?",
        ),
        (
            lambda: Regression.named("cond_ot", "independent", "uniform", "velocit", "flat"),
            "no target 'velocit': must be one of velocity, data",
        ),
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
    assert torch.isfinite(DDIM(clip=None)(ends_of(CondOT()), CondOT(), start(), TIMES)).all()
    assert read("solver", {"name": "ddim", "clip": None, "eta": "0.5"}) == {"name": "ddim", "eta": 0.5}


def test_a_sampler_is_called_after_its_options() -> None:
    class Mine(Grid):
        shape: str = "round"

        def __call__(self, path: Path, steps: int, t0: float, t1: float) -> torch.Tensor:
            return torch.linspace(t0, t1, steps + 1)

    grid = Mine("a b/c").choice
    assert SamplerConfig(solver="ddim", grid=grid, steps=2).label == "ddim-grid_Mine-shapea_b_c"
    assert SamplerConfig(solver={"name": "ddim", "clip": "codec"}, steps=2).label == "ddim-clip"
    assert SamplerConfig(solver={"name": "ddim", "clip": 1}, steps=2).label == "ddim-clip1"
