"""What networks are shown and asked for, against the papers' formulas."""

import pytest
import torch

from fm import targets
from fm.components import known
from fm.paths import EDM, SIGMA_DATA, CondOT, Path, VariancePreserving
from fm.targets import Target

T = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
X0, X1 = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("path", known("path"))
@pytest.mark.parametrize("target", known("target"))
def test_the_target_is_what_the_ends_convert_to(path: str, target: str) -> None:
    gaussian = Path.of(path)
    point = gaussian.sample(X0, X1, T)
    made = Target.of(target).at_scale(0.3)
    expected = gaussian.convert(X1, point.x_t, T, source="data", target=made.quantity)
    torch.testing.assert_close(made.answer(gaussian, point), expected, rtol=1e-9, atol=1e-9)


def test_edm_is_karras_et_al_table_1() -> None:
    path = EDM()
    sigma = path.sigma(T)[:, None]
    c_skip = SIGMA_DATA**2 / (sigma**2 + SIGMA_DATA**2)
    c_out = sigma * SIGMA_DATA / (sigma**2 + SIGMA_DATA**2).sqrt()
    c_in = 1 / (sigma**2 + SIGMA_DATA**2).sqrt()
    point = path.sample(X0, X1, T)
    target = targets.EDM(SIGMA_DATA)
    said = target.answer(path, point)
    torch.testing.assert_close(said, (X1 - c_skip * point.x_t) / c_out, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(path.ends(said, point.x_t, T, target).x1, X1, rtol=1e-10, atol=1e-10)
    x_seen, t_seen = target.inputs(path, point.x_t, T)
    torch.testing.assert_close(x_seen, c_in * point.x_t)
    torch.testing.assert_close(t_seen, sigma[:, 0].log() / 4)


def test_v_is_salimans_and_ho_and_edms_target_its_negative_for_unit_data() -> None:
    path = VariancePreserving()
    point = path.sample(X0, X1, T)
    alpha, sigma = path.alpha(T)[:, None], path.sigma(T)[:, None]
    torch.testing.assert_close(targets.V().answer(path, point), alpha * X0 - sigma * X1)
    unit = path.sample(X0, X1 * SIGMA_DATA, T)  # SIGMA_DATA takes the place of 1
    said = targets.EDM(SIGMA_DATA).answer(path, unit)
    scaled = (sigma * X1 - SIGMA_DATA * alpha * X0) / torch.hypot(alpha * SIGMA_DATA, sigma)
    torch.testing.assert_close(said, scaled)


def test_only_edms_target_changes_what_is_shown_and_nothing_is_infinite() -> None:
    t = torch.tensor([0.0, 0.5, 1.0])
    x = torch.ones(3, 2)
    for target in ("velocity", "noise"):
        x_seen, t_seen = Target.of(target).inputs(CondOT(), x, t)
        assert x_seen is x
        assert t_seen is t
    x_seen, t_seen = targets.EDM(SIGMA_DATA).inputs(CondOT(), x, t)
    assert torch.isfinite(x_seen).all()
    assert torch.isfinite(t_seen).all()


def test_the_scale_of_the_data_is_what_was_measured_unless_it_is_given() -> None:
    assert Target.of("edm").at_scale(0.3) == targets.EDM(0.3)
    assert targets.EDM(0.5).at_scale(0.3) == targets.EDM(0.5)
    assert targets.Noise().at_scale(0.3) == targets.Noise()
    with pytest.raises(ValueError, match="target 'edm': sigma_data is not known"):
        Target.of("edm").inputs(CondOT(), X0, T)


def test_one_of_ones_own_is_any_mixture() -> None:
    class Difference(Target):
        def mixture(self, path: Path, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.ones_like(t), -2 * torch.ones_like(t)

    point = CondOT().sample(X0, X1, T)
    said = Difference().answer(CondOT(), point)
    torch.testing.assert_close(said, X1 - 2 * X0)
    torch.testing.assert_close(CondOT().ends(said, point.x_t, T, Difference().quantity).x0, X0)
    assert CondOT().convert(said, point.x_t, T, source=Difference(), target=Difference()) is said
