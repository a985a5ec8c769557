from pathlib import Path

import pytest
import torch

from examples.two_dimensions import METHODS, conditional_paths, draw, moons, noise, train, trajectories, wasserstein

STEPS = 600


@pytest.fixture(scope="module")
def networks() -> dict[str, torch.nn.Module]:
    return {name: train(method.objective, moons(1000, 0), STEPS) for name, method in METHODS.items()}


def length(lines: torch.Tensor) -> float:
    return float((lines[-1] - lines[0]).square().sum())


def test_transport_shortens_the_lines_and_diffusion_bends_them() -> None:
    x0, x1 = noise(128, 0), moons(128, 1)
    lines = {name: conditional_paths(method.objective, x0, x1) for name, method in METHODS.items()}
    assert length(lines["optimal_transport"]) < 0.5 * length(lines["flow_matching"])
    middle = {name: line[32] - (line[0] + line[-1]) / 2 for name, line in lines.items()}
    assert float(middle["flow_matching"].abs().max()) < 1e-5
    assert float(middle["diffusion"].abs().max()) > 0.5


@pytest.mark.parametrize("name", METHODS)
def test_leads_from_noise_to_the_moons(name: str, networks: dict[str, torch.nn.Module]) -> None:
    start, real = noise(500, 2), moons(500, 3)
    samples = trajectories(METHODS[name], networks[name], start, 50)[-1]
    assert wasserstein(samples, real) < 0.6 * wasserstein(start, real)


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_trains_the_same_network(name: str) -> None:
    first, again = (train(METHODS[name].objective, moons(1000, 0), steps=20) for _ in range(2))
    for ours, theirs in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_draws_a_panel_for_each_method_and_row(networks: dict[str, torch.nn.Module], tmp_path: Path) -> None:
    figure = draw(networks)
    assert len(figure.axes) == 9
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 50_000
