import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fm.components import known
from fm.paths import DDPM, QUANTITIES, SIGMA_DATA, CondOT, Path, Quantity
from fm.targets import EDM as EDMTarget
from fm.weights import EDM, Weight

T = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
TARGETS = [*QUANTITIES, EDMTarget(0.3)]


@pytest.mark.parametrize("path", known("path"))
@pytest.mark.parametrize("weight", ["min_snr", "edm"])
@given(seed=st.integers(0, 100))
@settings(deadline=None)
def test_the_loss_is_the_same_whatever_the_network_predicts(path: str, weight: str, seed: int) -> None:
    """An error of the data is one of any other quantity, and weighs the same in each."""
    gaussian, made = Path.of(path), Weight.of(weight).at_scale(SIGMA_DATA)
    x_t, x1, wrong = torch.randn(3, 25, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    losses = []
    for target in TARGETS:
        right = gaussian.convert(x1, x_t, T, source="data", target=target)
        other = gaussian.convert(wrong, x_t, T, source="data", target=target)
        losses.append(made(T, gaussian, target) * (right - other).square().sum(1))
    for loss in losses[1:]:
        torch.testing.assert_close(loss, losses[0], rtol=1e-9, atol=1e-12)


def test_min_snr_is_hang_et_al() -> None:
    path, made = DDPM(), Weight.of({"name": "min_snr", "gamma": 3.0})
    snr = (path.alpha(T) / path.sigma(T)) ** 2
    torch.testing.assert_close(made(T, path, "data"), snr.clamp(max=3))
    torch.testing.assert_close(made(T, path, "noise"), snr.clamp(max=3) / snr)
    torch.testing.assert_close(made(T, path, "v"), snr.clamp(max=3) / (snr + 1))


def test_edms_weight_is_karras_et_al_and_1_on_their_own_target() -> None:
    path, made = Path.of("edm"), EDM(SIGMA_DATA)
    sigma = path.sigma(T)
    expected = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
    torch.testing.assert_close(made(T, path, "data"), expected)
    assert torch.equal(made(T, path, EDMTarget(SIGMA_DATA)), torch.ones_like(T))
    torch.testing.assert_close(made(T, path, "edm"), torch.ones_like(T))


def test_the_scale_of_the_data_is_what_was_measured_unless_it_is_given() -> None:
    assert Weight.of("edm").at_scale(0.3) == EDM(0.3)
    assert EDM(0.5).at_scale(0.3) == EDM(0.5)
    with pytest.raises(ValueError, match="weight 'edm': sigma_data is not known"):
        Weight.of("edm")(T, CondOT(), "data")


def test_flat_is_one() -> None:
    assert torch.equal(Weight.of("flat")(T, CondOT(), "velocity"), torch.ones_like(T))


@pytest.mark.parametrize("path", known("path"))
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_by_noise_is_the_error_of_the_noise_where_that_is_less(path: str, target: Quantity) -> None:
    gaussian = Path.of(path)
    x_t, noise, wrong = torch.randn(3, 25, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    apart = [gaussian.convert(one, x_t, T, source="noise", target=target) for one in (noise, wrong)]
    of_target, of_noise = (apart[0] - apart[1])[:, 0].abs(), (noise - wrong)[:, 0].abs()
    least = torch.minimum(of_target, of_noise)
    found = [Weight.of({"name": "by_noise", "power": power})(T, gaussian, target) for power in (1.0, 2.0)]
    torch.testing.assert_close(found[0] * of_target, least, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found[1] * of_target.square(), least.square(), rtol=1e-9, atol=1e-9)
