"""A network on its own path, asked on another: the same flow, by closed forms and by DDIM."""

import pytest
import torch
from torch import Tensor, nn

from fm.change_of_path import matching_time, scale
from fm.conditions import Condition
from fm.field import Field
from fm.networks.converted import Converted, unconverted
from fm.paths import DDPM, EDM, CondOT, Cosine, Path, Polynomial, VariancePreserving, like
from fm.solvers import solve
from fm.solvers.gaussian import DDIM
from fm.targets import EDM as EDMTarget
from fm.targets import Data, Noise, Score, Target, V, Velocity

STRAIGHT = CondOT()


class Smooth(nn.Module):
    """A fixed, smooth, nonlinear function of x and t."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(4, 4, generator=generator, dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return torch.sin(x @ self.weight + like(t, x)) + 0.1 * like(condition["label"], x)


class OfGaussianData(nn.Module):
    """What least squares end with for data of this mean and deviation: E[target | x_t], in closed form."""

    def __init__(self, path: Path, target: Target, mean: float = 0.3, deviation: float = 0.5) -> None:
        super().__init__()
        self.path, self.target, self.mean, self.deviation = path, target, mean, deviation
        self.none = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        s = like(t, x)
        alpha, sigma = self.path.alpha(s), self.path.sigma(s)
        variance = alpha.square() * self.deviation**2 + sigma.square()
        x1 = self.mean + alpha * self.deviation**2 / variance * (x - alpha * self.mean)
        x0 = sigma / variance * (x - alpha * self.mean)
        a, b = self.target.mixture(self.path, s)
        return a * x1 + b * x0


def start() -> Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


ORIGINS = pytest.mark.parametrize(
    ("path", "target"),
    [
        (DDPM(), Noise()),
        (DDPM(), V()),
        (VariancePreserving(), Noise()),
        (VariancePreserving(), Score()),
        (Cosine(), V()),
        (Cosine(), Data()),
        (EDM(sigma_max=3.0), Noise()),  # where more would make the steps chaotic
        (EDM(sigma_max=3.0), EDMTarget(sigma_data=0.5)),
        (Polynomial(2.0), Velocity()),
    ],
    ids=str,
)


@ORIGINS
@torch.no_grad()
def test_its_eulers_method_is_the_originals_ddim(path: Path, target: Target) -> None:
    network, condition = Smooth(), {"label": torch.arange(5)}
    times = torch.linspace(0.02, 0.98, 11, dtype=torch.float64)
    expected = DDIM()(Field(network, path, target, condition).ends, path, start(), times)

    there = matching_time(path, STRAIGHT, times)
    to_straight = scale(path, STRAIGHT, times, there)
    converted = Field(Converted(network, path, target, STRAIGHT, Velocity()), STRAIGHT, Velocity(), condition)
    made = solve(converted.velocity, start() * to_straight[0], "euler", times=there)
    torch.testing.assert_close(made.x1 / to_straight[-1], expected, rtol=1e-9, atol=1e-9)
    assert made.nfe == converted.nfe == 10


@pytest.mark.parametrize(
    ("path", "target"), [(DDPM(), Noise()), (Cosine(), V()), (VariancePreserving(), Data())], ids=str
)
@pytest.mark.parametrize("answer", [Velocity(), Data(), Noise()], ids=str)
def test_the_best_network_of_one_path_becomes_the_best_of_another(path: Path, target: Target, answer: Target) -> None:
    x, t = start(), torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    converted = Converted(OfGaussianData(path, target), path, target, STRAIGHT, answer)
    torch.testing.assert_close(converted(x, t, {}), OfGaussianData(STRAIGHT, answer)(x, t, {}), rtol=1e-9, atol=1e-9)


def test_at_the_noise_end_it_is_finite_and_learns() -> None:
    """DDPM's path never is pure noise; the straight one begins there."""
    converted = Converted(Smooth(), DDPM(), Noise(), STRAIGHT, Velocity())
    answer = converted(start(), torch.zeros(5), {"label": torch.arange(5)})
    assert bool(answer.isfinite().all())
    answer.square().mean().backward()
    (weight,) = converted.parameters()
    assert weight.grad is not None
    assert float(weight.grad.abs().min()) > 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="target 'edm': a network made for another path or target cannot be asked"):
        Converted(Smooth(), DDPM(), Noise(), EDM(), EDMTarget(sigma_data=0.5))
    converted = Converted(Smooth(), DDPM(), Noise(), STRAIGHT, Velocity())
    with pytest.raises(ValueError, match="cannot be told a second time"):
        converted(start(), torch.zeros(5), {}, torch.ones(5))


def test_the_network_itself() -> None:
    network = Smooth()
    assert unconverted(network) is network
    assert unconverted(Converted(network, DDPM(), Noise(), STRAIGHT, Velocity())) is network
