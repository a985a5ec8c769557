import pytest
import torch
from torch import Tensor, nn

from fm.objectives import Objective, discrete


class Constant(nn.Module):
    """A network that always says the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return torch.full_like(x, self.value)


def loss_of(objective: Objective, value: float) -> float:
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(4000, 1, 2, 2, generator=generator)
    x1 = 0.5 + 0.1 * torch.randn(4000, 1, 2, 2, generator=generator)
    labels = torch.zeros(4000, dtype=torch.int64)
    return float(objective.loss(Constant(value), x0, x1, torch.rand(4000, generator=generator), labels, labels))


@pytest.mark.parametrize(
    ("path", "target", "value", "expected"),
    [
        ("cond_ot", "velocity", 0.5, 1.01),  # var(x1 - x0), at its mean
        ("cond_ot", "data", 0.5, 0.01),
        ("ddpm", "noise", 0.0, 1.0),
        ("ddpm", "noise", 1.0, 2.0),
    ],
)
def test_loss_of_a_constant_prediction(path: str, target: str, value: float, expected: float) -> None:
    objective = Objective.named(path, "independent", "uniform", target, "flat")
    assert loss_of(objective, value) == pytest.approx(expected, rel=0.05)


def test_discrete_times_are_ddpms_thousand_states() -> None:
    t = discrete(torch.tensor([0.0, 0.00099, 0.5004, 0.99999]))
    torch.testing.assert_close(t, torch.tensor([0.0, 0.0, 0.5, 0.999]))
