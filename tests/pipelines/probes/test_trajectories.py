from itertools import pairwise

import pytest
import torch

from fm.config import SamplerConfig
from pipelines.probes import trajectories


@pytest.mark.parametrize("method", ["flow_matching", "diffusion"])
def test_more_steps_come_closer(generators: dict, method: str) -> None:
    found = trajectories.convergence(generators[method], seed=0, count=16, many=200)
    assert [one.steps for one in found] == list(trajectories.STEPS)
    means = [sum(one.distances) / len(one.distances) for one in found]
    assert all(later < 1.05 * sooner for sooner, later in pairwise(means))  # they are near to rounding
    assert 0 < means[-1] < 0.2 * means[0]


def test_straightness_does_not_depend_on_the_sampler(generators: dict) -> None:
    generator = generators["diffusion"]
    found = trajectories.straightness_of(generator, seed=0, count=32)
    assert len(found) == 32
    assert min(found) > 0
    other = generator.with_sampler(SamplerConfig(solver="ddpm", steps=3))
    assert trajectories.straightness_of(other, seed=0, count=32) == found


def test_pixels_start_at_noise_and_end_at_the_image(generators: dict) -> None:
    found = trajectories.pixels_of(generators["flow_matching"], seed=3)
    assert (len(found), {len(one) for one in found}) == (trajectories.PIXELS, {101})
    x0, _ = trajectories.start(generators["flow_matching"], seed=3, count=1)
    image, _ = generators["flow_matching"].with_sampler(trajectories.STRAIGHT).sample_float(1, seed=3)
    assert {one[0] for one in found} <= set(x0[0].flatten().tolist())
    ends = torch.tensor([one[-1] for one in found])
    assert all(float((image.flatten() - end).abs().min()) < 1e-5 for end in ends)


def test_ddim_is_eulers_method_after_the_change_of_path(generators: dict) -> None:
    found = trajectories.change_of_path("diffusion", generators["diffusion"], seed=0, count=32)
    assert (found.method, found.steps) == ("diffusion", 4)
    assert len(found.differences) == 32
    assert 0 <= max(found.differences) < 1e-6
