import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fm.conditions import Label, Sequence
from fm.networks.grids import rotary_angles, sine_cosine_positions
from fm.networks.layers import Tokens, Turns, turned
from fm.networks.transformer import TransformerOptions
from fm.networks.transformer_network import Block, Transformer


def random(**sizes: Any) -> Transformer:
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


def test_queries_and_keys_that_are_normalised_meet_at_one_length() -> None:
    """By the formula: of every head's queries and keys the root mean square is taken out, and a weight put in."""
    block = Block(8, heads=2, token_width=6, qk_norm=True)
    norms = (block.query_norm, block.key_norm, block.token_key_norm)
    for norm in norms:
        torch.nn.init.normal_(norm.weight)
    h, tokens = torch.randn(3, 5, 8), Tokens(torch.randn(3, 4, 6), torch.ones(3, 4, dtype=torch.bool))

    def by_head(x: Tensor) -> Tensor:
        return x.unflatten(2, (2, 4)).transpose(1, 2)

    def normed(x: Tensor, weight: Tensor) -> Tensor:
        return x / (x.square().mean(dim=3, keepdim=True) + 1e-6).sqrt() * weight

    queries, keys, values = map(by_head, block.queries_keys_values(h).chunk(3, dim=2))
    more_keys, more_values = map(by_head, block.keys_values(tokens.values).chunk(2, dim=2))
    queries, keys, more_keys = (
        normed(x, norm.weight) for x, norm in zip((queries, keys, more_keys), norms, strict=True)
    )
    seen = torch.softmax(queries @ torch.cat([keys, more_keys], dim=2).transpose(2, 3) / 2, dim=3)
    expected = block.mix((seen @ torch.cat([values, more_values], dim=2)).transpose(1, 2).flatten(2))
    torch.testing.assert_close(block.attend(h, tokens), expected, rtol=1e-4, atol=1e-5)
    for layer in (block.queries_keys_values, block.keys_values):
        with torch.no_grad():
            layer.weight[:-8].mul_(1000)
            layer.bias[:-8].mul_(1000)
    torch.testing.assert_close(block.attend(h, tokens), expected, rtol=1e-3, atol=1e-4)


def test_turned_queries_and_keys_meet_as_their_distance_has_it() -> None:
    """On a grid of two axes, by complex numbers: one pair of numbers is one of these."""
    grid, width = (4, 5), 10
    angles = rotary_angles(grid, width).double()
    turns = Turns(angles.cos(), angles.sin())
    query, key = torch.randn(2, width, dtype=torch.float64)
    queries, keys = (turned(one.expand(1, 1, 20, width), turns)[0, 0] for one in (query, key))
    as_complex = torch.complex(query[:4], query[4:8]) * torch.complex(key[:4], -key[4:8])
    frequencies = torch.tensor([1.0, 0.1], dtype=torch.float64)
    meetings = (queries @ keys.T).reshape(*grid, *grid)
    for (y, x), (v, u) in [((0, 0), (0, 0)), ((3, 1), (1, 4)), ((2, 4), (3, 0)), ((0, 2), (3, 2))]:
        turn = torch.exp(1j * torch.cat([(y - v) * frequencies, (x - u) * frequencies]))
        expected = (as_complex * turn).real.sum() + query[8:] @ key[8:]
        torch.testing.assert_close(meetings[y, x, v, u], expected)
    assert torch.allclose(meetings[1:, 1:, 1:, 1:], meetings[:-1, :-1, :-1, :-1])


def test_rotary_positions_are_in_place_of_those_added() -> None:
    """Patches are told by their places in attention alone: a single block sees of a moved picture the same, moved."""
    network = random(rotary=True)
    t, condition = torch.tensor([0.5]), {"label": torch.tensor([1])}
    with torch.no_grad():
        flat = network(torch.ones(1, 1, 8, 8), t, condition)[0, 0]
    patches = flat.reshape(4, 2, 4, 2).transpose(1, 2).reshape(16, 4)
    torch.testing.assert_close(patches, patches[:1].expand(16, 4), rtol=1e-4, atol=1e-4)
    x = torch.randn(1, 1, 8, 8)
    assert not torch.allclose(network(x, t, condition), network(x.flip(3), t, condition).flip(3), atol=1e-2)


def test_joint_blocks_but_for_the_last() -> None:
    network = TransformerOptions(width=16, blocks=3, joint=True).build((1, 8, 8), {"text": Sequence(5, 4)})
    assert [type(block).__name__ for block in network.blocks] == ["JointBlock", "JointBlock", "Block"]
    for block in network.blocks[:2]:
        assert not block.patches.modulation.weight.any()
        assert not block.tokens.modulation.weight.any()


def test_without_the_option_nothing_is_normalised() -> None:
    plain, normed = (
        TransformerOptions(width=16, blocks=1, qk_norm=on).build((1, 8, 8), {"text": Sequence(5, 4)})
        for on in (False, True)
    )
    more = normed.state_dict().keys() - plain.state_dict().keys()
    assert more == {f"blocks.0.{name}_norm.weight" for name in ("query", "key", "token_key")}
    assert plain.state_dict().keys() < normed.state_dict().keys()
    assert TransformerOptions(width=16, blocks=1).choice == {"name": "transformer", "width": 16, "blocks": 1}


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
