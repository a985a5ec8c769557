import torch

from fm.batches import Budget, Examples
from fm.data.prepared import Prepared
from fm.objectives import Regression
from pipelines.probes import training_step

OBJECTIVES = {
    "flow_matching": Regression.named("cond_ot", "independent", "uniform", "velocity", "flat"),
    "diffusion": Regression.named("ddpm", "independent", "discrete", "noise", "flat"),
}


def test_the_peak_is_what_tensors_hold_at_once() -> None:
    def prepare():
        kept = torch.zeros(1_000_000)

        def take() -> None:
            other = kept + 1
            del other
            assert (kept * 2).numel() == 1_000_000

        return take

    assert 8_000_000 <= training_step.peak_bytes(prepare, torch.device("cpu")) < 8_000_100


def test_costs_of_equal_networks(generators: dict, budget: Budget, dataset: Prepared) -> None:
    found = training_step.costs(generators, OBJECTIVES, budget, Examples.of(dataset), rounds=4)
    for cost in found.values():
        assert len(cost.seconds) == 4
        assert len(set(cost.peak_bytes)) == 1  # no chance in it
    weights = sum(weight.nbytes for weight in generators["diffusion"].network.parameters())
    flow, diffusion = (found[method].peak_bytes[0] for method in ("flow_matching", "diffusion"))
    # Weights, gradients, both moments and the average, and then the activations.
    assert min(flow, diffusion) > 5 * weights
    assert abs(flow / diffusion - 1) < 0.1


def test_the_networks_stay_as_they_are(generators: dict, budget: Budget, dataset: Prepared) -> None:
    before = [weight.clone() for weight in generators["diffusion"].network.parameters()]
    training_step.prepared(generators["diffusion"], OBJECTIVES["diffusion"], budget, Examples.of(dataset))()
    after = list(generators["diffusion"].network.parameters())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
