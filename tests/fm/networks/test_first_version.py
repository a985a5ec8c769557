"""Old generators load and make the same images, and trainings begin and go on as they did: bit for bit."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fm.conditions import Label
from fm.networks import Network
from fm.networks.layers import in_channels_last
from tests.fm.networks import first_version

CLASSES = {"unet": first_version.UNet, "transformer": first_version.Transformer}
CASES = pytest.mark.parametrize(
    ("kind", "channels", "size", "classes", "sizes"),
    [
        ("unet", 1, 8, 10, {"width": 8, "multipliers": (1, 2), "blocks": 1, "patch_size": 1}),
        ("unet", 1, 28, 10, {"width": 32, "multipliers": (1, 2), "blocks": 1, "patch_size": 2}),
        ("unet", 3, 28, 2, {"width": 8, "multipliers": (1, 2, 2), "blocks": 2, "patch_size": 2}),
        ("unet", 3, 12, 0, {}),
        ("transformer", 1, 8, 10, {"width": 96, "blocks": 4, "heads": 4, "patch_size": 2}),
        ("transformer", 3, 28, 2, {"width": 16, "blocks": 2, "heads": 2, "patch_size": 4}),
        ("transformer", 3, 12, 0, {}),
    ],
)


def pair(kind: str, channels: int, size: int, classes: int, sizes: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    """The network of then and of now from the same seed, in the memory format that generators have."""
    torch.manual_seed(3)
    then = CLASSES[kind](channels, size, classes, **sizes)
    torch.manual_seed(3)
    now = Network.of({"name": kind, **sizes}).build((channels, size, size), {"label": Label(classes)})
    return then.to(memory_format=torch.channels_last), in_channels_last(now)


def same(then: Tensor, now: Tensor) -> bool:
    return torch.equal(then, now) and then.stride() == now.stride()


@CASES
def test_weights_have_their_names_order_and_draws(
    kind: str, channels: int, size: int, classes: int, sizes: Any
) -> None:
    then, now = (network.state_dict() for network in pair(kind, channels, size, classes, sizes))
    assert list(then) == list(now)
    assert all(same(then[name], now[name]) for name in then)


@CASES
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_outputs_and_gradients(kind: str, channels: int, size: int, classes: int, sizes: Any, layout: Any) -> None:
    then, now = pair(kind, channels, size, classes, sizes)
    for weight, other in zip(then.parameters(), now.parameters(), strict=True):
        nn.init.normal_(weight, std=0.1)  # what begins at zero would hide the rest
        with torch.no_grad():
            other.copy_(weight)
    x, t = torch.randn(5, channels, size, size).to(memory_format=layout), torch.rand(5)
    label = torch.randint(0, classes + 1, (5,))
    before, after = then(x, t, label), now(x, t, {"label": label})
    assert same(before, after)
    for out in (before, after):
        (out - x).square().flatten(1).mean(dim=1).mean().backward()
    for (name, weight), other in zip(then.named_parameters(), now.parameters(), strict=True):
        assert same(weight.grad, other.grad), name
