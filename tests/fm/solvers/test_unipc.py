"""UniPC against closed forms; tests/parity holds it against diffusers."""

import math

import pytest
import torch

from fm.paths import CondOT, VariancePreserving
from fm.solvers.unipc import UniPC, shares
from tests.fm.gaussian_data import ends_of, flow_of, start


@pytest.mark.parametrize("order", [1, 2])
def test_its_order_is_one_more_than_its_predictors(order: int) -> None:
    """But for the very last step, which is of first order and here next to nothing."""
    path = VariancePreserving()
    exact = flow_of(path, start(), 0.1, 0.99)
    first, last = path.ratio(torch.tensor([0.1, 0.99], dtype=torch.float64)).log().tolist()
    errors = []
    for steps in (100, 200):
        times = path.time_of(torch.linspace(first, last, steps + 1, dtype=torch.float64).exp())
        times = torch.cat([times, times[-1:] + 1e-9])
        errors.append(float((UniPC(order=order)(ends_of(path), path, start(), times) - exact).abs().max()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order + 1, abs=0.2)


def test_from_no_data_at_all_the_first_step_is_corrected_by_the_trapezoidal_rule() -> None:
    """In alpha / sigma, which is what remains of lambda's infinite step."""
    path, times = CondOT(), torch.tensor([0.0, 0.25, 0.5], dtype=torch.float64)
    first = ends_of(path)(start(), times[0]).x1
    second = ends_of(path)(0.75 * start() + 0.25 * first, times[1]).x1
    corrected = 0.75 * start() + 0.25 * (first + second) / 2
    expected = 0.5 / 0.75 * corrected + (0.5 - 0.25 * 0.5 / 0.75) * second
    torch.testing.assert_close(UniPC()(ends_of(path), path, start(), times), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("places", [[-0.7, 1.0], [-0.7, -1.9], [-0.7, -1.9, 1.0]])
def test_shares_integrate_a_polynomial_through_the_places_exactly(places: list[float]) -> None:
    """The weighted mean of u^i over a step, which is 0 at u = 0, for every degree that the places can tell."""
    width = 0.8
    u = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    weight = (width * u).exp()
    for degree in range(1, len(places) + 1):
        found = sum(share / u * u**degree for share, u in zip(shares(places, width), places, strict=True))
        expected = torch.trapezoid(weight * u**degree, u) / torch.trapezoid(weight, u)
        assert found == pytest.approx(float(expected), rel=1e-7)
