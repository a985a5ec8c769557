"""Videos, volumes and periodic fields: attention that is factorised, and data that go on at the other side."""

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fm.conditions import Map, Sequence
from fm.networks import Network, TransformerOptions, UNetOptions
from fm.networks.conditioned import recompute
from fm.networks.flops import flops_of_a_call
from fm.networks.grids import rotary_angles, sine_cosine_positions
from fm.networks.layers import AlongFirst, Tokens, in_channels_last
from fm.networks.unet_network import FactorisedAttention, GridAttention
from fm.training.planning import Setting, needs
from tests.fm.networks.random import random
from tests.fm.networks.test_conditioned import FIELDS, differs, inputs

SMALL: dict[str, Any] = {"blocks": 1, "heads": 2}
UNET = UNetOptions(width=8, multipliers=(1, 2), patch_size=(1, 2, 2), attention=(4, 2), factorised=True, **SMALL)
DIT: dict[str, Any] = {"width": 16, "patch_size": (2, 2, 1), "factorised": True, "heads": 2, "blocks": 2}
CIRCULAR = UNetOptions(width=8, multipliers=(1, 2), padding="circular_space", attention=(4,), factorised=True, **SMALL)
ROTARY = TransformerOptions(**DIT, rotary=True, qk_norm=True, padding="circular_space")
KINDS = {
    "unet": UNET,
    "circular": UNetOptions(width=8, padding="circular", **SMALL),
    "circular space": CIRCULAR,
    "transformer": TransformerOptions(**DIT),
    "rotary": ROTARY,
    "joint": TransformerOptions(**DIT, joint=True),
}
NETWORKS = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
VIDEO = 1, 4, 8, 4
"""Or a volume: frames or slices first."""


@NETWORKS
def test_they_start_at_zero(options: Network) -> None:
    x, t, condition = inputs(VIDEO)
    assert torch.equal(in_channels_last(options.build(VIDEO, FIELDS))(x, t, condition), torch.zeros_like(x))


@NETWORKS
@pytest.mark.parametrize("name", FIELDS)
def test_every_field_matters(options: Network, name: str) -> None:
    network = random(options, VIDEO, FIELDS)
    x, t, condition = inputs(VIDEO)
    other = condition | {name: 3 - condition[name] if name == "label" else 1 - condition[name]}
    assert differs(network(x, t, condition), network(x, t, other))


@NETWORKS
def test_every_frame_is_seen_by_every_other(options: Network) -> None:
    network = random(options, VIDEO, FIELDS)
    x, t, condition = inputs(VIDEO)
    for changed, seen in ((0, 3), (3, 0)):
        other = x.clone()
        other[:, :, changed] += 1
        assert differs(network(x, t, condition)[:, :, seen], network(other, t, condition)[:, :, seen])


@NETWORKS
def test_gradients_are_those_of_finite_differences(options: Network) -> None:
    network = random(options, VIDEO, FIELDS, until=True).double()
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.1)
    x, t, condition = inputs(VIDEO)
    told = {name: value.double() if value.is_floating_point() else value for name, value in condition.items()}
    network(x.double(), t.double(), told, until=t.double() + 0.1).square().sum().backward()
    for name, weight in network.named_parameters():
        direction = torch.randn_like(weight)
        losses = []
        with torch.no_grad():
            for step in (1e-5, -2e-5):
                weight += step * direction
                losses.append(network(x.double(), t.double(), told, until=t.double() + 0.1).square().sum())
            weight += 1e-5 * direction
        slope = (losses[0] - losses[1]) / 2e-5
        torch.testing.assert_close((weight.grad * direction).sum(), slope, rtol=1e-4, atol=1e-6, msg=name)
        assert float(weight.grad.abs().max()) > 0, name


@NETWORKS
def test_blocks_that_are_computed_again_give_the_same_gradients(options: Network) -> None:
    network = random(options, VIDEO, FIELDS)
    x, t, condition = inputs(VIDEO)
    gradients = []
    for again in (False, True):
        recompute(network, again)
        network.zero_grad()
        network(x, t, condition).square().sum().backward()
        gradients.append([weight.grad.clone() for weight in network.parameters()])
    assert all(torch.equal(*both) for both in zip(*gradients, strict=True))


def test_factorised_attention_by_loops() -> None:
    """Slice by slice, and then point by point."""
    attention = FactorisedAttention(8, heads=2, token_width=6, length=3)
    for weight in attention.parameters():
        nn.init.normal_(weight, std=0.5)
    x, words = torch.randn(2, 8, 3, 2, 4), Tokens(torch.randn(2, 5, 6), torch.rand(2, 5) > 0.3)
    alone = GridAttention(8, heads=2, token_width=6)
    alone.load_state_dict({name: value for name, value in attention.state_dict().items() if "along" not in name})
    within = torch.stack([alone(x[:, :, frame], words) for frame in range(3)], dim=2)
    expected = within.clone()
    for y in range(2):
        for z in range(4):
            line = within[:, :, :, y, z].transpose(1, 2)
            expected[:, :, :, y, z] += attended_in_turn(attention.along, line).transpose(1, 2)
    torch.testing.assert_close(attention(x, words), expected, rtol=1e-4, atol=1e-5)


def attended_in_turn(along: AlongFirst, line: Tensor) -> Tensor:
    """What is added to each point of a line (B, length, width), head by head and pair by pair."""
    normed = nn.functional.layer_norm(line, line.shape[2:], along.norm.weight, along.norm.bias)
    queries, keys, values = along.queries_keys_values(normed).chunk(3, dim=2)
    wide = queries.shape[2] // along.heads
    heads = []
    for head in range(along.heads):
        q, k, v = (one[:, :, head * wide : (head + 1) * wide] for one in (queries, keys, values))
        logits = torch.zeros(len(line), line.shape[1], line.shape[1])
        for i in range(line.shape[1]):
            for j in range(line.shape[1]):
                for pair in range(wide // 2):
                    turn = (i - j) * 100.0 ** -(pair / (wide // 2))
                    a, b = q[:, i, pair], q[:, i, wide // 2 + pair]
                    c, d = k[:, j, pair], k[:, j, wide // 2 + pair]
                    logits[:, i, j] += math.cos(turn) * (a * c + b * d) + math.sin(turn) * (a * d - b * c)
        heads.append(torch.softmax(logits / wide**0.5, dim=2) @ v)
    mixed: Tensor = along.mix(torch.cat(heads, dim=2))
    return mixed


def test_of_a_transformer_that_looks_along_time_by_nothing_each_frame_is_a_picture() -> None:
    """Frame by frame it is the transformer of pictures, positions and tokens included."""
    options = {"width": 16, "heads": 2, "blocks": 2, "joint": True}
    fields = {"text": Sequence(5, 4), "low": Map(1)}
    video = random(TransformerOptions(patch_size=(1, 2, 2), factorised=True, **options), (2, 3, 4, 8), fields)
    for along in video.along:
        nn.init.zeros_(along.mix.weight)
        nn.init.zeros_(along.mix.bias)
    picture = TransformerOptions(**options).build((2, 4, 8), fields)
    picture.load_state_dict({name: value for name, value in video.state_dict().items() if "along" not in name})
    x, t, low = torch.randn(2, 2, 3, 4, 8), torch.rand(2), torch.randn(2, 1, 3, 4, 8)
    told = {"text": torch.randn(2, 4, 5), "text_mask": torch.rand(2, 4) > 0.3}
    expected = [picture(x[:, :, frame], t, told | {"low": low[:, :, frame]}) for frame in range(3)]
    found = video(x, t, told | {"low": low})
    torch.testing.assert_close(found, torch.stack(expected, dim=2), rtol=1e-4, atol=1e-4)


PERIODIC: list[tuple[Network, tuple[int, ...], tuple[int, ...]]] = [
    (UNetOptions(width=8, padding="circular", attention=(4,), patch_size=1, **SMALL), (2, 8, 8), (2, 4)),
    (UNetOptions(width=8, padding="circular", **SMALL), (1, 8, 16), (4, -8)),
    (UNetOptions(width=8, padding="circular", multipliers=(1,), patch_size=1, **SMALL), (1, 3, 5, 4), (1, 2, 3)),
    (UNetOptions(width=8, padding="circular", attention=(4,), factorised=True, **SMALL), (1, 8, 8, 4), (4, 4, -4)),
    (UNetOptions(width=8, padding="circular_space", attention=(4,), factorised=True, **SMALL), (1, 4, 8, 8), (0, 4, 4)),
    (UNetOptions(width=8, padding="circular_space", **SMALL), (1, 8, 8), (0, 4)),
    (TransformerOptions(width=16, rotary=True, padding="circular", **SMALL), (1, 8, 8), (2, -4)),
    (TransformerOptions(width=16, rotary=True, padding="circular", factorised=True, **SMALL), (1, 4, 8, 8), (2, 4, 2)),
    (TransformerOptions(width=24, rotary=True, padding="circular_space", **SMALL), (1, 4, 8, 8), (0, 4, 2)),
]


@pytest.mark.parametrize(("options", "shape", "by"), PERIODIC, ids=range(len(PERIODIC)))
def test_periodic_data_that_are_moved_round_make_the_same_moved_round(
    options: Network, shape: tuple[int, ...], by: tuple[int, ...]
) -> None:
    network, axes = random(options, shape, {}), tuple(range(2, 1 + len(shape)))
    x, t = torch.randn(2, *shape), torch.rand(2)
    made = network(x, t, {})
    moved = network(x.roll(by, axes), t, {})
    scale = float(made.detach().abs().max())
    torch.testing.assert_close(moved, made.roll(by, axes), rtol=1e-3, atol=1e-4 * scale)
    plain = type(options)(**{**vars(options), "padding": "zeros"}).build(shape, {})
    plain.load_state_dict(network.state_dict())
    assert not torch.allclose(plain(x.roll(by, axes), t, {}), plain(x, t, {}).roll(by, axes), atol=1e-2 * scale)


def test_time_does_not_come_round_where_only_space_does() -> None:
    options = UNetOptions(width=8, multipliers=(1,), patch_size=1, padding="circular_space", **SMALL)
    network = random(options, (1, 12, 6, 6), {})
    x, t = torch.randn(1, 1, 12, 6, 6), torch.rand(1)
    moved = network(x.roll(1, 2), t, {})[:, :, 1:] - network(x, t, {})[:, :, :-1]
    assert float(moved[:, :, -1].detach().abs().max()) > 1e-2


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_positions_of_an_axis_that_comes_round_differ_and_meet(size: int) -> None:
    positions = sine_cosine_positions((size,), 8, "circular")
    assert len(torch.unique(positions, dim=0)) == size
    angles = rotary_angles((size + 1,), 8, "circular")[1] * (size + 1)  # one step beyond the last
    torch.testing.assert_close(angles.cos(), torch.ones(4))


def test_what_factorised_attention_costs() -> None:
    """Of a transformer's block on T frames of S patches the products of queries with keys and of shares with values."""
    frames, patches, width, blocks = 4, 8, 16, 2

    def flops(factorised: bool) -> int:
        options = TransformerOptions(width, blocks, heads=2, patch_size=(1, 2, 2), factorised=factorised)
        return flops_of_a_call(options.build((1, frames, 4, 8), {}), (1, frames, 4, 8), {})

    points = frames * patches
    alike = 2 * points * width * (4 + 4)  # first, and last: patches of four numbers
    modulation = 2 * width * 6 * width * blocks + 2 * width * 2 * width
    times = 2 * (64 * width + width * width)
    block = 2 * points * width * width * (3 + 1 + 8)
    full = blocks * (block + 4 * points**2 * width) + alike + modulation + times
    assert flops(False) == full
    along = 2 * points * width * width * (3 + 1) + 4 * patches * frames**2 * width
    within = block + 4 * frames * patches**2 * width
    more = 2 * width * 6 * width * blocks * (frames - 1)  # each frame's modulation is made for itself
    assert flops(True) == blocks * (within + along) + alike + modulation + more + times


@pytest.mark.parametrize("options", [CIRCULAR, ROTARY], ids=["unet", "transformer"])
def test_what_a_training_takes_is_planned(options: Network) -> None:
    condition = {name: value[:1] for name, value in inputs(VIDEO)[2].items()}
    one, four = (needs(lambda: options.build(VIDEO, FIELDS), VIDEO, condition, Setting(), data) for data in (1, 4))
    assert one.weights == sum(weight.nbytes for weight in options.build(VIDEO, FIELDS).parameters())
    assert one.step < four.step


@pytest.mark.parametrize(
    ("options", "shape", "says"),
    [
        (UNetOptions(patch_size=(2, 2)), (1, 4, 8, 8), "patch_size [2, 2] is for data along 2 axes, and these have 3"),
        (
            UNetOptions(patch_size=(1, 3, 2)),
            (1, 4, 8, 8),
            "8 of the shape (1, 4, 8, 8) is not a multiple of patch_size 3",
        ),
        (
            UNetOptions(factorised=True),
            (1, 8),
            "factorised attention is for data along 2 or 3 axes, not of shape (1, 8)",
        ),
        (TransformerOptions(factorised=True), (1, 8), "factorised attention is for data along 2 axes or more"),
    ],
)
def test_sizes_that_cannot_be(options: Network, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        options.build(shape, {})


def test_a_patch_size_is_a_number_or_one_an_axis() -> None:
    assert UNetOptions(patch_size=[1, 2, 2]).choice == {"name": "unet", "patch_size": [1, 2, 2]}  # type: ignore[arg-type]
    assert UNetOptions(patch_size=1).choice == {"name": "unet", "patch_size": 1}
    with pytest.raises(ValueError, match=r"patch_size = \(0, 2\): must be a whole number from 1 to 512, or a list"):
        UNetOptions(patch_size=(0, 2))
    with pytest.raises(ValueError, match="padding = 'round': must be one of zeros, circular, circular_space"):
        TransformerOptions(padding="round")  # type: ignore[arg-type]


@pytest.mark.parametrize("of_kind", [UNetOptions, TransformerOptions])
def test_noise_passes_beside_a_network_narrower_than_its_patches(
    of_kind: type[UNetOptions | TransformerOptions],
) -> None:
    """Of noise with no structure, what all of it was is learnt to a few percent; eight channels of sixty-four numbers
    would leave seven eighths of it."""
    noise = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def left(skip: bool) -> float:
        torch.manual_seed(0)
        levels: dict[str, Any] = {"multipliers": (1,)} if of_kind is UNetOptions else {}
        network = of_kind(width=8, blocks=1, patch_size=8, skip=skip, **levels).build((1, 8, 8), {})
        optimizer = torch.optim.AdamW(network.parameters(), 2e-2)
        t = torch.linspace(0, 1, len(noise))
        for _ in range(100):
            loss = (network(noise, t, {}) + (1 + t).reshape(-1, 1, 1, 1) * noise).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    assert left(skip=True) < 0.02
    assert left(skip=False) > 1
