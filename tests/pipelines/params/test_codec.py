"""The section `codec`."""

from pathlib import Path
from typing import Any

import pytest

from fm import autoencoder_folders
from fm.errors import UserError
from fm.networks import Autoencoder, AutoencoderKL
from pipelines import params, starts
from pipelines.params.sections import is_coded
from pipelines.project import ROOT
from tests.pipelines.params.written import CONTENT, changed

DATASETS = [file.stem for file in (ROOT / "pipelines" / "defaults").glob("*.yaml") if not is_coded(file.stem)]
"""Those of pictures."""


def with_codec(**codec: Any) -> dict[str, Any]:
    return {**CONTENT, "codec": {"kind": "latents", **codec}}


def test_of_pixels_nothing_else_is_said() -> None:
    """By a params.yaml of before there was the section, too."""
    for content in (CONTENT, {key: value for key, value in CONTENT.items() if key != "codec"}):
        assert params.parse(content).model_dump()["codec"] == {"kind": "pixels"}


@pytest.mark.parametrize("name", DATASETS)
def test_the_kind_alone_is_a_working_change(name: str) -> None:
    content = changed("dataset.name", name)
    content["codec"]["kind"] = "latents"
    settings = params.parse(content)
    assert [key for key, value in settings.codec.model_dump().items() if value is None] == ["crop"]
    built = Autoencoder.of(settings.codec.untrained)
    assert built.in_channels == settings.dataset.channels
    assert 2 <= built.factor <= 4


@pytest.mark.parametrize(("size", "factor"), [(8, 2), (30, 2), (32, 4), (100, 4), (96, 8), (256, 8), (512, 16)])
def test_the_larger_the_images_the_more_of_them_is_a_point(size: int, factor: int) -> None:
    content = changed("dataset.name", "icons")
    content["dataset"]["image_size"], content["codec"]["kind"] = size, "latents"
    assert Autoencoder.of(params.parse(content).codec.untrained).factor == factor


def test_an_autoencoder_is_of_the_images_channels_unless_it_says_otherwise() -> None:
    given = {"kind": "autoencoder_kl", "latent_channels": 8}
    assert params.parse(with_codec(autoencoder=given)).codec.untrained == {
        "name": "autoencoder_kl", "in_channels": 1, "latent_channels": 8,
    }  # fmt: skip
    with pytest.raises(params.ParamsError, match=r"codec\.autoencoder\.in_channels = 3: must be dataset\.channels, 1"):
        params.parse(with_codec(autoencoder={**given, "in_channels": 3}))


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ({"kind": "latent"}, r"codec\.kind = 'latent': must be 'pixels' or 'latents'; did you mean latents\?"),
        ({"tiles": 64}, r"codec\.tiles: there is no such setting; did you mean codec\.tile\?"),
        ({"sampled": 1}, r"codec\.sampled: 1: must be true or false"),
        ({"images_seen": 20}, r"codec\.batch_size: 32: must be at most images_seen, 20"),
        ({"crop": 32}, r"codec\.crop = 32: must be a multiple of 4, .* and at most dataset\.image_size, 28"),
        ({"crop": 18}, r"codec\.crop = 18: must be a multiple of 4"),
        ({"autoencoder": "mine"}, r"codec\.autoencoder: 'mine': must be a folder below starts/"),
        ({"autoencoder": "starts/../own"}, r"codec\.autoencoder: .* must be a folder below starts/"),
        ({"autoencoder": 3}, r"codec\.autoencoder: must be like {kind: autoencoder_kl, latent_channels: 4}, not 3"),
        ({"autoencoder": {"kind": "autoencoder_k"}}, r"codec\.autoencoder: no autoencoder 'autoencoder_k': .*did you"),
        (
            {"autoencoder": {"kind": "autoencoder_kl", "name": "a"}},
            r"codec\.autoencoder: there is no such setting as name; did you mean kind\?",
        ),
        ({"autoencoder": {"kind": "autoencoder_kl", "width": 8}}, r"codec\.autoencoder: .* has no option 'width'"),
        (
            {"autoencoder": {"kind": "autoencoder_kl", "block_out_channels": [32] * 5}},
            r"codec\.autoencoder: one point of its latents is 16 pixels a side, and dataset\.image_size = 28: must be",
        ),
        (
            {"autoencoder": {"kind": "autoencoder_pca", "patch": 28, "widths": [8]}},
            r"codec\.autoencoder: one point of its latents is 28 pixels a side, all of dataset\.image_size = 28",
        ),
    ],
)
def test_a_mistake_is_told_by_its_key(codec: dict[str, Any], told: str) -> None:
    with pytest.raises(params.ParamsError, match=told):
        params.parse(with_codec(**codec))


def test_latents_are_not_seen_in_a_mirror() -> None:
    content = with_codec()
    content["train"] = content["train"] | {"horizontal_flips": 0.5}
    with pytest.raises(params.ParamsError, match=r"train\.horizontal_flips = 0\.5: must be 0 with codec\.kind latents"):
        params.parse(content)
    content["codec"] = {"kind": "pixels"}
    assert params.parse(content).train.horizontal_flips == 0.5


def test_pictures_are_compared_by_an_extractor_with_layers_alone() -> None:
    content = with_codec(perceptual=0.5)
    assert params.parse(content).codec.perceptual == 0.5
    content["evaluate"] = content["evaluate"] | {"extractor": "two_towers"}
    with pytest.raises(
        params.ParamsError, match=r"codec\.perceptual = 0\.5: evaluate\.extractor = two_towers has no lay"
    ):
        params.parse(content)
    content["codec"] = {"kind": "latents", "autoencoder": "starts/ours", "perceptual": 0.5}
    assert params.parse(content).codec.folder == "starts/ours"


def test_a_folder_is_looked_into_before_anything_runs(tmp_path: Path) -> None:
    settings = params.parse(with_codec(autoencoder="starts/ours"))
    with pytest.raises(UserError, match=r"codec\.autoencoder = starts/ours: must be a folder"):
        starts.require_all(settings, tmp_path)
    small = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4)
    autoencoder_folders.write(tmp_path / "starts" / "ours", small, small.build())
    with pytest.raises(params.ParamsError, match=r"codec\.autoencoder\.in_channels = 3: must be dataset\.channels, 1"):
        starts.require_all(settings, tmp_path)
    grey = AutoencoderKL(in_channels=1, block_out_channels=(8, 8), norm_num_groups=4)
    autoencoder_folders.write(tmp_path / "starts" / "ours", grey, grey.build())
    starts.require_all(settings, tmp_path)
