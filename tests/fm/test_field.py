"""A field asks its network once a point, twice where it is guided; along another path it is in test_change_of_path."""

import pytest
import torch
from torch import Tensor, nn

from fm.conditions import Condition
from fm.field import Field
from fm.guidance import Guidance
from fm.paths import DDPM, CondOT, like
from fm.targets import Data, Velocity

X, T = torch.ones(2, 3), torch.tensor([0.25, 0.5])
CONDITION, NULL = {"word": torch.tensor([[2.0], [3.0]])}, {"word": torch.zeros(2, 1)}


class Says(nn.Module):
    """`factor` times the condition, and how far it is until the second time."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        assert {x.dtype, t.dtype, condition["word"].dtype} == {torch.float64}
        said = self.factor * condition["word"] * torch.ones_like(x)
        return said if until is None else said + like(until - t, x)


def test_what_it_says_is_of_the_points_own_precision() -> None:
    field = Field(Says(1.0), CondOT(), Velocity(), CONDITION)
    assert torch.equal(field.velocity(X, T), torch.tensor([[2.0], [3.0]]) * X)
    assert field.nfe == 1


def test_guidance_leads_away_from_no_condition() -> None:
    field = Field(Says(1.0), CondOT(), Velocity(), CONDITION, NULL, Guidance(2.0))
    assert torch.equal(field.velocity(X, T), torch.tensor([[4.0], [6.0]]) * X)
    assert field.nfe == 2


def test_guidance_leads_away_from_a_weaker_network_where_there_is_one() -> None:
    field = Field(Says(1.0), CondOT(), Velocity(), CONDITION, NULL, Guidance(2.0), weak=Says(0.5))
    assert torch.equal(field.velocity(X, T), torch.tensor([[3.0], [4.5]]) * X)
    assert field.nfe == 2


def test_a_jump_is_one_call_that_knows_both_times() -> None:
    field = Field(Says(1.0), CondOT(), Velocity(), CONDITION, NULL, Guidance(2.0, (0.4, 1.0)))
    jumped = field.jump(X, T, torch.tensor([0.75, 1.0]))
    assert torch.equal(jumped, torch.tensor([[1 + 0.5 * 2.5], [1 + 0.5 * 6.5]]) * X)
    assert field.nfe == 2


def test_only_a_velocity_jumps() -> None:
    for field in (
        Field(Says(1.0), CondOT(), Data(), CONDITION),
        Field(Says(1.0), DDPM(), Velocity(), CONDITION, along=CondOT()),
    ):
        with pytest.raises(ValueError, match="only a network that predicts the velocity can jump"):
            field.jump(X, T, T)
