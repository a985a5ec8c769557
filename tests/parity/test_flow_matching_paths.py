"""Held against flow_matching 1.0.10: paths, conversions between predictions, and times from signal-to-noise ratios.

Their times run as ours do. They say target and epsilon where we say data and noise, their snr is alpha / sigma, not
its square, and their conversions do not broadcast t. LinearVP, which we do not have, is made here as a user makes it.
"""

import pytest
import torch
from flow_matching.path import AffineProbPath
from flow_matching.path.scheduler import (
    CondOTScheduler,
    CosineScheduler,
    LinearVPScheduler,
    PolynomialConvexScheduler,
    Scheduler,
    VPScheduler,
)
from torch import Tensor

from fm.paths import CondOT, Cosine, Path, Polynomial, Quantity, VariancePreserving, like
from tests.parity.agreement import COEFFICIENTS, TIMES, Fault, noise_and_data, notices, same


class LinearVP(Path):
    """alpha = t on a variance-preserving path."""

    def alpha(self, t: Tensor) -> Tensor:
        return t

    def sigma(self, t: Tensor) -> Tensor:
        return (1 - t.square()).sqrt()


PATHS = pytest.mark.parametrize(
    ("scheduler", "path"),
    [
        pytest.param(CondOTScheduler(), CondOT(), id="cond_ot"),
        pytest.param(PolynomialConvexScheduler(3), Polynomial(n=3.0), id="cubic"),
        pytest.param(PolynomialConvexScheduler(0.5), Polynomial(n=0.5), id="root"),
        pytest.param(VPScheduler(), VariancePreserving(), id="vp"),
        pytest.param(VPScheduler(0.5, 12.0), VariancePreserving(0.5, 12.0), id="vp_of_other_betas"),
        pytest.param(CosineScheduler(), Cosine(), id="cosine"),
        pytest.param(LinearVPScheduler(), LinearVP(), id="linear_vp"),
    ],
)
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)], ids=str)
QUANTITIES: dict[str, Quantity] = {"target": "data", "epsilon": "noise", "velocity": "velocity"}


@notices(*COEFFICIENTS)
@DTYPES
@PATHS
def test_point_and_velocity(
    scheduler: Scheduler, path: Path, dtype: torch.dtype, tolerance: float, fault: Fault
) -> None:
    x0, x1, t = (tensor.to(dtype) for tensor in (*noise_and_data(), TIMES))
    theirs = AffineProbPath(scheduler).sample(x_0=x0, x_1=x1, t=t)
    ours = fault.path(path).sample(x0, x1, t)
    assert ours.x_t.dtype == ours.velocity.dtype == dtype
    same(ours.x_t, theirs.x_t, tolerance)
    same(ours.velocity, theirs.dx_t, tolerance)


def check_conversion(
    scheduler: Scheduler, path: Path, source: str, target: str, dtype: torch.dtype, tolerance: float
) -> None:
    x_t, value, t = (tensor.to(dtype) for tensor in (*noise_and_data(), TIMES))
    convert = getattr(AffineProbPath(scheduler), f"{source}_to_{target}")
    theirs = convert(value, x_t=x_t, t=like(t, x_t).expand_as(x_t))
    ours = path.convert(value, x_t, t, source=QUANTITIES[source], target=QUANTITIES[target])
    assert ours.dtype == dtype
    same(ours, theirs, tolerance)


@notices(*COEFFICIENTS)
@DTYPES
@PATHS
@pytest.mark.parametrize(
    ("source", "target"),
    [("target", "velocity"), ("epsilon", "velocity"), ("velocity", "target"), ("velocity", "epsilon")],
)
def test_conversion_to_and_from_velocity(
    scheduler: Scheduler, path: Path, source: str, target: str, dtype: torch.dtype, tolerance: float, fault: Fault
) -> None:
    check_conversion(scheduler, fault.path(path), source, target, dtype, tolerance)


@notices("alpha", "sigma")
@DTYPES
@PATHS
@pytest.mark.parametrize(("source", "target"), [("epsilon", "target"), ("target", "epsilon")])
def test_conversion_between_the_ends(
    scheduler: Scheduler, path: Path, source: str, target: str, dtype: torch.dtype, tolerance: float, fault: Fault
) -> None:
    check_conversion(scheduler, fault.path(path), source, target, dtype, tolerance)


@notices("alpha", "sigma")
@PATHS
def test_time_of_a_signal_to_noise_ratio(scheduler: Scheduler, path: Path, fault: Fault) -> None:
    at = scheduler(TIMES)
    snr = at.alpha_t / at.sigma_t
    same(fault.path(path).time_of(1 / snr), scheduler.snr_inverse(snr))
