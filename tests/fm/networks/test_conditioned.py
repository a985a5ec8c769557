"""Both networks, along any number of axes and under any condition."""

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from fm.conditions import Label, Map, Sequence, Spec, Vector
from fm.networks import Network, TransformerOptions, UNetOptions
from fm.networks.conditioned import recompute
from fm.networks.layers import TimeEmbedding, in_channels_last
from tests.fm.networks.random import random

UNET = UNetOptions(width=8, multipliers=(1, 2), blocks=1, patch_size=1)
ATTENTIVE = UNetOptions(width=8, multipliers=(1, 2), blocks=1, patch_size=2, attention=(4, 2), heads=2)
TRANSFORMER = TransformerOptions(width=16, blocks=2, heads=2, patch_size=2)
ROTARY = TransformerOptions(width=16, blocks=2, heads=2, patch_size=2, qk_norm=True, rotary=True)
JOINT = TransformerOptions(width=16, blocks=3, heads=2, patch_size=2, qk_norm=True, rotary=True, joint=True)
KINDS = {"unet": UNET, "attentive": ATTENTIVE, "transformer": TRANSFORMER, "rotary": ROTARY, "joint": JOINT}
NETWORKS = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
SHAPES = pytest.mark.parametrize("shape", [(2, 8), (3, 8, 4), (1, 4, 4, 8)], ids=["line", "oblong", "volume"])
FIELDS: dict[str, Spec] = {"label": Label(3), "size": Vector(2), "text": Sequence(5, 4), "low": Map(2)}


def condition_for(shape: tuple[int, ...], count: int = 2) -> dict[str, Tensor]:
    """Something of every field; the last token is not there."""
    return {
        "label": torch.arange(count) % 4,
        "size": torch.randn(count, 2),
        "text": torch.randn(count, 4, 5),
        "text_mask": torch.tensor([[True, True, True, False]] * count),
        "low": torch.randn(count, 2, *shape[1:]),
    }


def inputs(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    torch.manual_seed(1)
    return torch.randn(2, *shape), torch.tensor([0.2, 0.7]), condition_for(shape)


def differs(a: Tensor, b: Tensor) -> bool:
    """For every datum."""
    return bool(((a - b).abs().flatten(1).amax(dim=1) > 1e-4).all())


@NETWORKS
@SHAPES
def test_the_output_is_like_the_input_and_starts_at_zero(options: Network, shape: tuple[int, ...]) -> None:
    x, t, condition = inputs(shape)
    out = in_channels_last(options.build(shape, FIELDS))(x, t, condition)
    assert torch.equal(out, torch.zeros_like(x))


@NETWORKS
@SHAPES
@pytest.mark.parametrize("name", ["label", "size", "text", "low"])
def test_every_field_matters(options: Network, shape: tuple[int, ...], name: str) -> None:
    network = random(options, shape, FIELDS)
    x, t, condition = inputs(shape)
    other = condition | {name: 3 - condition[name] if name == "label" else 1 - condition[name]}
    assert differs(network(x, t, condition), network(x, t, other))


@NETWORKS
@SHAPES
def test_a_token_that_is_not_there_does_not_matter(options: Network, shape: tuple[int, ...]) -> None:
    network = random(options, shape, FIELDS)
    x, t, condition = inputs(shape)
    text = condition["text"].clone()
    text[:, 3] = torch.nan
    assert torch.equal(network(x, t, condition), network(x, t, condition | {"text": text}))
    text[:, 3] = 1.0
    there = torch.ones(2, 4, dtype=torch.bool)
    assert differs(network(x, t, condition), network(x, t, condition | {"text": text, "text_mask": there}))


@NETWORKS
def test_a_sequence_may_have_no_token_at_all(options: Network) -> None:
    network = random(options, (1, 8, 8), FIELDS)
    x, t, condition = inputs((1, 8, 8))
    nothing = condition | {"text_mask": torch.zeros(2, 4, dtype=torch.bool)}
    assert bool(network(x, t, nothing).isfinite().all())
    assert differs(network(x, t, condition), network(x, t, nothing))


@NETWORKS
def test_the_order_of_tokens_matters(options: Network) -> None:
    network = random(options, (1, 8, 8), {"text": Sequence(5, 4)})
    x, t, condition = inputs((1, 8, 8))
    turned = condition | {"text": condition["text"][:, [1, 0, 2, 3]]}
    assert differs(network(x, t, condition), network(x, t, turned))


@pytest.mark.parametrize(("chosen", "until", "fastest"), [(None, False, 1000), (None, True, 10), (40.0, True, 40)])
@pytest.mark.parametrize("kind", [UNetOptions, TransformerOptions])
def test_times_are_embedded_as_fast_as_is_asked(
    kind: type[UNetOptions | TransformerOptions], chosen: float | None, until: bool, fastest: float
) -> None:
    network = kind(8, heads=1, time_frequency=chosen).build((1, 8, 8), {}, until=until)
    embeddings = [layer for layer in network.modules() if isinstance(layer, TimeEmbedding)]
    assert [float(layer.frequencies.max()) for layer in embeddings] == [fastest] * (1 + until)


@pytest.mark.parametrize("options", [UNET, ATTENTIVE, TRANSFORMER, ROTARY])
@SHAPES
def test_the_second_time_matters_where_it_is_told(options: Network, shape: tuple[int, ...]) -> None:
    network = random(options, shape, {}, until=True)
    x, t, _ = inputs(shape)
    assert differs(network(x, t, {}, until=t + 0.2), network(x, t, {}))
    assert torch.equal(network(x, t, {}, until=t), network(x, t, {}))
    with pytest.raises(ValueError, match="not built to be told a second time"):
        options.build(shape, {})(x, t, {}, until=t)


@NETWORKS
@SHAPES
def test_every_weight_learns(options: Network, shape: tuple[int, ...]) -> None:
    network = random(options, shape, FIELDS, until=True)
    x, t, condition = inputs(shape)
    network(x, t, condition, until=t + 0.1).square().sum().backward()
    assert [name for name, weight in network.named_parameters() if not float(weight.grad.abs().max()) > 0] == []


@NETWORKS
def test_forward_differentiation_along_a_path(options: Network) -> None:
    """What MeanFlow needs: in x and both times; against finite differences, of times in float32."""
    network = random(options, (1, 8, 8), FIELDS, until=True).double()
    x, t, condition = inputs((1, 8, 8))
    start = x.double(), t.double(), t.double() + 0.2
    direction = torch.randn_like(start[0]), torch.ones_like(start[1]), torch.full_like(start[2], 2.0)

    def call(x: Tensor, t: Tensor, until: Tensor) -> Tensor:
        return network(x, t, condition, until=until)

    def at(step: float) -> Tensor:
        return call(*(value + step * change for value, change in zip(start, direction, strict=True)))

    with sdpa_kernel(SDPBackend.MATH):
        value, slope = torch.func.jvp(call, start, direction)
        torch.testing.assert_close(value, at(0.0))
        torch.testing.assert_close(slope, (at(1e-3) - at(-1e-3)) / 2e-3, rtol=1e-2, atol=1e-2)


@NETWORKS
def test_blocks_that_are_computed_again_give_the_same_gradients(options: Network) -> None:
    network = random(options, (1, 8, 8), FIELDS)
    x, t, condition = inputs((1, 8, 8))
    gradients = []
    for again in (False, True):
        recompute(network, again)
        network.zero_grad()
        network(x, t, condition).square().sum().backward()
        gradients.append([weight.grad.clone() for weight in network.parameters()])
    assert all(torch.equal(*both) for both in zip(*gradients, strict=True))


@NETWORKS
def test_half_of_the_precision_makes_nearly_the_same(options: Network) -> None:
    network = random(options, (1, 8, 8), FIELDS)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    x, t, condition = inputs((1, 8, 8))
    whole = network(x, t, condition)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(x, t, condition)
    torch.testing.assert_close(half.float(), whole, rtol=0.1, atol=0.05 * float(whole.detach().abs().max()))


def test_what_cannot_be_is_said() -> None:
    network = UNET.build((1, 8, 8), FIELDS)
    x, t, condition = inputs((1, 8, 8))
    del condition["size"]
    with pytest.raises(ValueError, match="the condition has no size: this network asks for label, size, text, low"):
        network(x, t, condition)
    with pytest.raises(ValueError, match="cannot be called time"):
        UNET.build((1, 8, 8), {"time": Vector(1)})
    with pytest.raises(ValueError, match="joint attention is for conditions that have a sequence"):
        JOINT.build((1, 8, 8), {"label": Label(3)})
    with pytest.raises(ValueError, match="rotary positions along 5 axes need heads of 10 numbers, not 8"):
        ROTARY.build((1, 2, 2, 2, 2, 2), {})


@pytest.mark.parametrize("options", [TRANSFORMER, ROTARY])
def test_vectors_have_no_axes_but_their_channels(options: Network) -> None:
    network = random(options, (5,), {"label": Label(2)})
    out = network(torch.randn(2, 5), torch.rand(2), {"label": torch.tensor([0, 2])})
    assert out.shape == (2, 5)
