"""What networks are shown and asked for, against the papers' formulas."""

import pytest
import torch

from fm.paths import EDM, PATHS, SIGMA_DATA, CondOT, VariancePreserving, path_named
from fm.targets import network_inputs, regression_target

T = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
X0, X1 = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("target", ["velocity", "data", "noise", "score", "v", "edm"])
def test_the_target_is_what_the_ends_convert_to(path: str, target: str) -> None:
    gaussian = path_named(path)
    point = gaussian.sample(X0, X1, T)
    expected = gaussian.convert(X1, point.x_t, T, source="data", target=target)
    torch.testing.assert_close(regression_target(gaussian, point, target), expected, rtol=1e-9, atol=1e-9)


def test_edm_is_karras_et_al_table_1() -> None:
    path = EDM()
    sigma = path.sigma(T)[:, None]
    c_skip = SIGMA_DATA**2 / (sigma**2 + SIGMA_DATA**2)
    c_out = sigma * SIGMA_DATA / (sigma**2 + SIGMA_DATA**2).sqrt()
    c_in = 1 / (sigma**2 + SIGMA_DATA**2).sqrt()
    point = path.sample(X0, X1, T)
    said = regression_target(path, point, "edm")
    torch.testing.assert_close(said, (X1 - c_skip * point.x_t) / c_out, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(path.ends(said, point.x_t, T, "edm").x1, X1, rtol=1e-10, atol=1e-10)
    x_seen, t_seen = network_inputs(path, "edm", point.x_t, T)
    torch.testing.assert_close(x_seen, c_in * point.x_t)
    torch.testing.assert_close(t_seen, sigma[:, 0].log() / 4)


def test_v_is_salimans_and_ho_and_edms_target_its_negative_for_unit_data() -> None:
    path = VariancePreserving()
    point = path.sample(X0, X1, T)
    alpha, sigma = path.alpha(T)[:, None], path.sigma(T)[:, None]
    torch.testing.assert_close(regression_target(path, point, "v"), alpha * X0 - sigma * X1)
    unit = path.sample(X0, X1 * SIGMA_DATA, T)  # SIGMA_DATA takes the place of 1
    said = regression_target(path, unit, "edm")
    scaled = (sigma * X1 - SIGMA_DATA * alpha * X0) / torch.hypot(alpha * SIGMA_DATA, sigma)
    torch.testing.assert_close(said, scaled)


def test_only_edms_target_changes_what_is_shown_and_nothing_is_infinite() -> None:
    t = torch.tensor([0.0, 0.5, 1.0])
    x = torch.ones(3, 2)
    for target in ("velocity", "noise"):
        x_seen, t_seen = network_inputs(CondOT(), target, x, t)
        assert x_seen is x
        assert t_seen is t
    x_seen, t_seen = network_inputs(CondOT(), "edm", x, t)
    assert torch.isfinite(x_seen).all()
    assert torch.isfinite(t_seen).all()
