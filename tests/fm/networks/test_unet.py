import re
from typing import Any

import pytest
import torch
from torch import nn

from fm.conditions import Label, Sequence
from fm.networks import Network, UNetOptions
from fm.networks.unet_network import GridAttention
from tests.fm.networks.random import random


@pytest.mark.parametrize(("channels", "size", "patch"), [(1, 28, 2), (3, 32, 2), (1, 8, 1), (3, 20, 4), (4, 128, 4)])
def test_output_is_like_the_input_and_starts_at_zero(channels: int, size: int, patch: int) -> None:
    options = UNetOptions(width=8, multipliers=(1, 2), blocks=1, patch_size=patch)
    network = options.build((channels, size, size), {"label": Label(10)})
    x = torch.randn(2, channels, size, size)
    out = network(x, torch.tensor([0.0, 1.0]), {"label": torch.tensor([0, 10])})
    assert torch.equal(out, torch.zeros_like(x))


def test_time_and_label_matter() -> None:
    torch.manual_seed(0)
    options = UNetOptions(width=8, multipliers=(1,), blocks=1, patch_size=1)
    network = options.build((1, 8, 8), {"label": Label(10)})
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    x = torch.randn(1, 1, 8, 8).expand(4, -1, -1, -1)
    out = network(x, torch.tensor([0.1, 0.9, 0.1, 0.1]), {"label": torch.tensor([0, 0, 10, 0])})
    assert torch.allclose(out[0], out[3])
    assert not torch.allclose(out[0], out[1], atol=1e-3)
    assert not torch.allclose(out[0], out[2], atol=1e-3)


def test_attention_is_where_it_is_asked_for_and_in_the_middle() -> None:
    options = UNetOptions(width=8, multipliers=(1, 2, 2), blocks=1, patch_size=1, attention=(8,))
    network = options.build((1, 16, 12), {})
    found = [name for name, module in network.named_modules() if isinstance(module, GridAttention)]
    assert found == ["down.2.attention", "middle.attention", "up.3.attention", "up.4.attention"]


@pytest.mark.parametrize(
    ("attention", "where"),
    [
        ((), ["middle.attention"]),
        ((8,), ["down.2.attention", "middle.attention", "up.3.attention", "up.4.attention"]),
    ],
)
def test_words_are_attended_to_on_the_chosen_grids_and_in_the_middle(attention: Any, where: list[str]) -> None:
    options = UNetOptions(width=8, multipliers=(1, 2, 2), blocks=1, patch_size=1, attention=attention)
    network = options.build((1, 16, 12), {"text": Sequence(5, 4)})
    there = [name for name, module in network.named_modules() if isinstance(module, GridAttention)]
    assert there == where
    assert all(network.get_submodule(name).keys_values is not None for name in there)


def test_attention_is_among_all_points_of_a_grid() -> None:
    torch.manual_seed(0)
    attention = GridAttention(8, heads=2, token_width=None)
    nn.init.normal_(attention.mix.weight)
    x = torch.randn(1, 8, 3, 5)
    moved = x.clone()
    moved[0, :, 0, 0] *= -2
    assert bool((attention(moved, None) != attention(x, None)).any(dim=1).all())
    assert torch.equal(GridAttention(8, 2, None)(x, None), x)


def test_dropout_acts_while_training_and_only_then() -> None:
    torch.manual_seed(0)
    network = random(UNetOptions(width=8, multipliers=(1,), blocks=1, patch_size=1, dropout=0.5), (1, 8, 8), {})
    x, t = torch.randn(2, 1, 8, 8), torch.rand(2)
    assert not torch.equal(network(x, t, {}), network(x, t, {}))
    network.eval()
    assert torch.equal(network(x, t, {}), network(x, t, {}))


@pytest.mark.parametrize(
    ("options", "shape", "says"),
    [
        ({}, (1, 9, 9), "9 of the shape (1, 9, 9) is not a multiple of patch_size 2"),
        ({}, (1, 2, 2, 2, 2), "a unet is for data along 1, 2 or 3 axes, not of shape (1, 2, 2, 2, 2)"),
        ({"attention": (16,)}, (1, 28, 28), "attention 16: this network's grids have the sides 14, 7"),
        ({"attention": (7,), "heads": 3}, (1, 28, 28), "width 64 is not a multiple of heads 3"),
    ],
)
def test_sizes_that_cannot_be(options: dict[str, Any], shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        UNetOptions(**options).build(shape, {})


def test_there_is_no_such_network() -> None:
    with pytest.raises(ValueError, match=r"no network .unett.: must be one of .*; did you mean unet"):
        Network.of("unett")
