"""Held against torchcfm 1.0.7 and POT 0.9.7.

Their times run as ours do, noise at 0 and data at 1. Their matchers' sigma is extra noise around the path, which ours
never have: 0 here. Their plan's pairs are drawn with replacement, where ours use every row once, so couplings are
compared by the plan and by its cost.
"""

import ot
import pytest
import torch
from torch import Tensor
from torchcfm.conditional_flow_matching import (
    ConditionalFlowMatcher,
    ExactOptimalTransportConditionalFlowMatcher,
    TargetConditionalFlowMatcher,
    VariancePreservingConditionalFlowMatcher,
)
from torchcfm.optimal_transport import OTPlanSampler

from fm.couplings import LabelledOptimalTransport, OptimalTransport, assignment
from fm.paths import CondOT, Cosine, Path
from tests.parity.agreement import COEFFICIENTS, TIMES, Fault, noise_and_data, notices, same

MATCHERS = [
    pytest.param(ConditionalFlowMatcher(sigma=0.0), CondOT(), id="straight"),
    pytest.param(VariancePreservingConditionalFlowMatcher(sigma=0.0), Cosine(), id="trigonometric"),
]


@notices(*COEFFICIENTS)
@pytest.mark.parametrize(("matcher", "path"), MATCHERS)
def test_point_and_target(matcher: ConditionalFlowMatcher, path: Path, fault: Fault) -> None:
    x0, x1 = noise_and_data()
    _, x_t, u_t = matcher.sample_location_and_conditional_flow(x0, x1, TIMES)
    ours = fault.path(path).sample(x0, x1, TIMES)
    same(ours.x_t, x_t)
    same(ours.velocity, u_t)


@notices(*COEFFICIENTS)
def test_lipmans_matcher_draws_its_own_noise(fault: Fault) -> None:
    _, x1 = noise_and_data()
    matcher = TargetConditionalFlowMatcher(sigma=0.0)
    _, x_t, u_t, x0 = matcher.sample_location_and_conditional_flow(x1, x1, TIMES, return_noise=True)
    ours = fault.path(CondOT()).sample(x0, x1, TIMES)
    same(ours.x_t, x_t)
    same(ours.velocity, u_t)


class Remembering(OTPlanSampler):
    """Keeps the pairs that it drew."""

    def sample_plan(self, x0: Tensor, x1: Tensor, replace: bool = True) -> tuple[Tensor, Tensor]:
        self.pairs = super().sample_plan(x0, x1, replace)
        return self.pairs


@notices(*COEFFICIENTS)
def test_point_and_target_of_transported_pairs(fault: Fault) -> None:
    matcher = ExactOptimalTransportConditionalFlowMatcher(sigma=0.0)
    matcher.ot_sampler = Remembering(method="exact")
    _, x_t, u_t = matcher.sample_location_and_conditional_flow(*noise_and_data(), TIMES)
    ours = fault.path(CondOT()).sample(*matcher.ot_sampler.pairs, TIMES)
    same(ours.x_t, x_t)
    same(ours.velocity, u_t)


def squared_distances(x0: Tensor, x1: Tensor) -> Tensor:
    return torch.from_numpy(ot.dist(x0.flatten(1).numpy(), x1.flatten(1).numpy(), metric="sqeuclidean"))


def least_cost(x0: Tensor, x1: Tensor) -> float:
    """POT's exact transport cost between the rows, all of one weight."""
    return float(ot.emd2(ot.unif(len(x0)), ot.unif(len(x1)), squared_distances(x0, x1).numpy()))


def cost(x0: Tensor, x1: Tensor) -> Tensor:
    """Of the pairs as they stand, the mean over rows."""
    return (x0 - x1).square().flatten(1).sum(1).mean()


@notices("pairing")
@pytest.mark.parametrize("size", [2, 17, 100])
def test_transport_costs_the_least(size: int, fault: Fault) -> None:
    x0, x1 = noise_and_data(size, 1, 3, 2)
    ours = cost(fault.pairing(OptimalTransport()(x0, x1)), x1)
    plan = torch.from_numpy(OTPlanSampler(method="exact").get_map(x0, x1))
    same(ours, least_cost(x0, x1))
    same(ours, (plan * squared_distances(x0, x1)).sum())


@notices("pairing")
def test_the_pairs_are_the_plans(fault: Fault) -> None:
    x0, x1 = noise_and_data(50, 4)
    plan = torch.from_numpy(OTPlanSampler(method="exact").get_map(x0, x1))
    # Between as many points of one weight the best plan is a permutation, 1/50 in every column.
    same(fault.pairing(assignment(x0, x1)), plan.argmax(0))


@notices("pairing")
def test_transport_within_labels_costs_the_sum_of_its_parts(fault: Fault) -> None:
    x0, x1 = noise_and_data(60, 4)
    labels = torch.tensor([3] * 30 + [0] * 20 + [7] * 9 + [1])
    paired = fault.pairing(LabelledOptimalTransport()(x0, x1, labels))
    rows = [labels == label for label in labels.unique()]
    same(cost(paired, x1) * len(labels), sum(least_cost(x0[of], x1[of]) * int(of.sum()) for of in rows))
