import torch
from torch import Tensor, nn

from fm.conditions import Condition
from fm.networks.flops import flops_of_a_call


class Line(nn.Module):
    """A matrix product of 12 by 12 and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 12, bias=False)

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        assert (t.shape, condition["label"].dtype) == ((1,), torch.int64)
        out: Tensor = self.linear(x.flatten(1))
        return out.reshape(x.shape)


def test_a_multiplication_and_an_addition_are_two() -> None:
    assert flops_of_a_call(Line(), (3, 2, 2), {"label": torch.tensor([0])}) == 2 * 12 * 12
