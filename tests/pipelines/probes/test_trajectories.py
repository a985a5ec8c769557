import pytest

from fm.config import SamplerConfig
from pipelines.probes import trajectories


@pytest.mark.parametrize("method", ["flow_matching", "diffusion"])
def test_more_steps_come_closer(generators: dict, method: str) -> None:
    found = trajectories.convergence(generators[method], seed=0)
    assert [one.steps for one in found] == list(trajectories.STEPS)
    means = [sum(one.distances) / len(one.distances) for one in found]
    assert means == sorted(means, reverse=True)
    assert 0 < means[-1] < 0.2 * means[0]


def test_straightness_does_not_depend_on_the_sampler(generators: dict) -> None:
    generator = generators["diffusion"]
    found = trajectories.straightness_of(generator, seed=0)
    assert len(found) == trajectories.COUNT
    assert min(found) > 0
    other = generator.with_sampler(SamplerConfig(solver="ddpm", steps=3))
    assert trajectories.straightness_of(other, seed=0) == found


def test_ddim_is_eulers_method_after_the_change_of_path(generators: dict) -> None:
    found = trajectories.change_of_path("diffusion", generators["diffusion"], seed=0)
    assert (found.method, found.steps) == ("diffusion", 4)
    assert len(found.differences) == trajectories.COUNT
    assert 0 <= max(found.differences) < 1e-6
