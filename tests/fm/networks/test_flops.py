import torch
from torch import Tensor, nn

from fm.conditions import Condition
from fm.networks import TransformerOptions
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


def test_attention_counts() -> None:
    """Of 16 patches among each other, in 8 numbers: 2 * 2 * 16 * 16 * 8 more than the products of the layers."""
    network = TransformerOptions(width=8, blocks=1, heads=2).build((1, 8, 8), {})
    layers = 2 * 16 * 8 * (4 + 4) + 2 * 16 * 12 * 64 + 2 * (64 * 8 + 8 * 8) + 2 * 8 * (48 + 16)
    assert flops_of_a_call(network, (1, 8, 8), {}) == layers + 4 * 16 * 16 * 8


def test_a_multiplication_and_an_addition_are_two() -> None:
    assert flops_of_a_call(Line(), (3, 2, 2), {"label": torch.tensor([0])}) == 2 * 12 * 12
