"""What a network for videos says that begins as one for pictures."""

import re
from typing import Any

import pytest
import torch
from torch import nn

from fm.conditions import Label, Map, Sequence, Spec, Vector
from fm.networks import Network, TransformerOptions, UNetOptions
from fm.networks.inflating import take_picture_weights
from tests.fm.networks.random import random

UNET: dict[str, Any] = {"width": 8, "multipliers": (1, 2), "blocks": 1, "attention": (4,), "heads": 2}
DIT: dict[str, Any] = {"width": 16, "blocks": 2, "heads": 2}
FIELDS: dict[str, Spec] = {"label": Label(3), "size": Vector(2), "text": Sequence(5, 4), "low": Map(2)}
WITHOUT_TOKENS = {name: field for name, field in FIELDS.items() if name != "text"}
CASES: list[tuple[type[Network], dict[str, Any], Any, dict[str, Any], dict[str, Spec]]] = [
    (UNetOptions, UNET, (1, 2, 2), {"factorised": True}, FIELDS),
    (UNetOptions, UNET | {"skip": True}, (2, 2, 2), {"factorised": True}, FIELDS),
    (UNetOptions, UNET, (1, 2, 2), {"factorised": False}, WITHOUT_TOKENS),
    (UNetOptions, UNET | {"padding": "circular"}, 2, {"padding": "circular_space"}, WITHOUT_TOKENS),
    (TransformerOptions, DIT, (1, 2, 2), {"factorised": True}, FIELDS),
    (
        TransformerOptions,
        DIT | {"rotary": True, "joint": True, "qk_norm": True, "skip": True},
        2,
        {"factorised": True},
        FIELDS,
    ),
]


@pytest.mark.parametrize(("kind", "options", "patch", "more", "fields"), CASES, ids=range(len(CASES)))
def test_of_a_still_video_every_frame_is_what_the_picture_is(
    kind: Any, options: dict[str, Any], patch: Any, more: dict[str, Any], fields: dict[str, Spec]
) -> None:
    picture = random(kind(**options), (3, 8, 8), fields, until=True)
    for weight in picture.parameters():
        nn.init.normal_(weight, std=0.1)
    torch.manual_seed(5)
    video = kind(**{**options, **more, "patch_size": patch}).build((3, 4, 8, 8), fields, until=True)
    take_picture_weights(video, picture.state_dict())

    x, t, low = torch.randn(2, 3, 8, 8), torch.rand(2), torch.randn(2, 2, 8, 8)
    told = {"label": torch.tensor([0, 3]), "size": torch.randn(2, 2), "text": torch.randn(2, 4, 5)}
    told["text_mask"] = torch.tensor([[True, True, False, True]] * 2)
    said = picture(x, t, told | {"low": low}, until=t + 0.1)

    def still(frame: torch.Tensor) -> torch.Tensor:
        return frame.unsqueeze(2).expand(-1, -1, 4, -1, -1)

    of_frames = video(still(x), t, told | {"low": still(low)}, until=t + 0.1)
    torch.testing.assert_close(of_frames, still(said), rtol=1e-3, atol=1e-4 * float(said.detach().abs().max()))
    of_frames.square().sum().backward()
    still_to_learn = [name for name, weight in video.named_parameters() if weight.grad is None]
    assert still_to_learn == []


@pytest.mark.parametrize(
    ("options", "fields", "shape", "says"),
    [
        (TransformerOptions(**DIT), {}, (3, 4, 8, 8), "only if it is factorised"),
        (UNetOptions(**UNET), {"text": Sequence(5, 4)}, (3, 4, 8, 8), "only if it is factorised: among the points of"),
        (UNetOptions(width=16), {}, (3, 4, 8, 8), "is [32, 64], of which [64, 64] cannot be made"),
        (UNetOptions(width=8), {"label": Label(3)}, (3, 4, 8, 8), "embed_label.weight is there on one side alone"),
        (UNetOptions(width=8), {}, (3, 8), "for data along 2 axes or more has one for an axis less"),
    ],
)
def test_what_cannot_begin_so(options: Network, fields: dict[str, Spec], shape: tuple[int, ...], says: str) -> None:
    weights = UNetOptions(width=8).build((3, 8, 8), {}).state_dict()
    network = options.build(shape, fields)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=re.escape(says)):
        take_picture_weights(network, weights)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
