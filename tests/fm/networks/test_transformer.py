import re

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fm.conditions import Label
from fm.networks.grids import sine_cosine_positions
from fm.networks.transformer import TransformerOptions
from fm.networks.transformer_network import Block, Transformer


def random(**sizes: int) -> Transformer:
    """A small transformer, none of whose weights is zero."""
    torch.manual_seed(0)
    options = TransformerOptions(**{"width": 16, "blocks": 2, "heads": 2, "patch_size": 2, **sizes})
    network = options.build((1, 8, 8), {"label": Label(10)})
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return network


@pytest.mark.parametrize(("channels", "size", "patch"), [(1, 8, 1), (1, 28, 2), (3, 32, 4), (4, 128, 8)])
def test_output_is_like_the_input_and_starts_at_zero(channels: int, size: int, patch: int) -> None:
    options = TransformerOptions(width=16, blocks=1, heads=2, patch_size=patch)
    network = options.build((channels, size, size), {"label": Label(10)})
    x = torch.randn(2, channels, size, size)
    out = network(x, torch.tensor([-1.6, 1.0]), {"label": torch.tensor([0, 10])})
    assert torch.equal(out, torch.zeros_like(x))


def test_time_label_and_position_matter() -> None:
    network = random()
    x = torch.randn(1, 1, 8, 8).expand(4, -1, -1, -1)
    out = network(x, torch.tensor([0.1, 0.9, 0.1, 0.1]), {"label": torch.tensor([0, 0, 10, 0])})
    assert torch.allclose(out[0], out[3], atol=1e-5)
    assert not torch.allclose(out[0], out[1], atol=1e-3)
    assert not torch.allclose(out[0], out[2], atol=1e-3)
    flat = network(torch.ones(1, 1, 8, 8), torch.tensor([0.5]), {"label": torch.tensor([1])})[0, 0]
    assert not torch.allclose(flat[:4], flat[4:], atol=1e-3)
    assert not torch.allclose(flat, flat.T, atol=1e-3)
    assert len(torch.unique(sine_cosine_positions((7, 7), 16), dim=0)) == 49


def test_a_patch_is_told_of_all_others_and_keeps_its_place() -> None:
    network = random()
    x, t, condition = torch.zeros(1, 1, 8, 8), torch.tensor([0.5]), {"label": torch.tensor([1])}
    dotted = x.clone()
    dotted[0, 0, 7, 7] = 5.0
    moved = (network(dotted, t, condition) - network(x, t, condition)).abs()[0, 0]
    assert bool((moved > 0).all())
    patches = F.max_pool2d(moved[None], 2)[0]
    assert int(patches.argmax()) == 15


def test_attention_is_the_papers_formula() -> None:
    block = Block(8, heads=2)
    h = torch.randn(3, 5, 8)
    queries, keys, values = block.queries_keys_values(h).chunk(3, dim=-1)

    def head(of: Tensor, number: int) -> Tensor:
        return of[..., 4 * number : 4 * number + 4]

    heads = [
        torch.softmax(head(queries, n) @ head(keys, n).transpose(1, 2) / 2, dim=-1) @ head(values, n) for n in range(2)
    ]
    torch.testing.assert_close(block.attend(h), block.mix(torch.cat(heads, dim=-1)), rtol=1e-4, atol=1e-5)


def test_every_weight_learns() -> None:
    network = random()
    out = network(torch.randn(2, 1, 8, 8), torch.tensor([0.2, 0.7]), {"label": torch.tensor([3, 10])})
    out.square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert float(weight.grad.abs().max()) > 0, name


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=re.escape("9 of the shape (1, 9, 8) is not a multiple of patch_size 2")):
        TransformerOptions(patch_size=2).build((1, 9, 8), {})
    with pytest.raises(ValueError, match="width 24 is not a multiple of heads 5"):
        TransformerOptions(width=24, heads=5)
