"""The autoencoder whose latents networks are trained on, made by the stage's own code on pictures that are there at
once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fm import autoencoder_folders
from fm.codecs import Latents
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.errors import UserError
from fm.metrics.extractors import ClassifierExtractor
from fm.metrics.extractors.classifier_network import Classifier
from fm.networks import AutoencoderKL
from fm.noise import Draws
from fm.training.callbacks import Point, Totals
from pipelines import codec, latents, params
from pipelines.machine import Moment
from pipelines.params import Params
from pipelines.project import CODEC, FEATURES, PREPARED
from pipelines.schemas.codec import CodecMetrics
from pipelines.stage import Stage
from tests.fm.autoencoding.test_training import TEST, TRAIN
from tests.pipelines.params.written import changed

STAGE = Stage("codec", {}, {})
SIZES = {"channels": 1, "image_size": 16, "num_classes": 10}
LEAST = {"kind": "autoencoder_kl", "block_out_channels": [8, 16, 16], "norm_num_groups": 4}


def settings(**of_codec: Any) -> Params:
    content = changed("dataset", {**changed("dataset.name", "digits")["dataset"], "image_size": 16})
    content["train"] = content["train"] | {"accelerator": "cpu", "checkpoint_every": 5}
    content["evaluate"] = content["evaluate"] | {"images": 80, "sets": 2}
    content["codec"] = {
        "kind": "latents",
        "autoencoder": LEAST,
        "images_seen": 960,
        "batch_size": 16,
        "learning_rate": 1e-2,
        **of_codec,
    }
    return params.parse(content)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with pictures of edges, and their features by a network that knows nothing."""
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        labels = np.arange(len(TRAIN)) % 10
        write(PREPARED, Splits(TRAIN, labels, TEST, labels[: len(TEST)], tuple("0123456789"), "edges"), "edges")
        torch.manual_seed(0)
        extractor = ClassifierExtractor(Classifier(**SIZES), SIZES, torch.device("cpu"))
        FEATURES.mkdir(parents=True)
        extractor.save(FEATURES)
        for name, pictures in (("train", TRAIN), ("test", TEST)):
            np.save(FEATURES / f"{name}.npy", extractor.features(pictures))
    return place


@pytest.fixture(autouse=True)
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr(codec, "cache_dir", lambda: place / "cache")


@pytest.fixture(scope="module")
def made(place: Path) -> tuple[Latents, CodecMetrics]:
    """Trained, standardised, measured and written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(codec, "cache_dir", lambda: place / "cache")
        chosen, dataset = settings(), Prepared.open(PREPARED)
        learnt, totals = codec.trained(chosen, dataset, STAGE, None)
        fitted = learnt.fitted(dataset.train)
        metrics = codec.summarise(chosen, dataset, fitted, totals, Moment.now())
        codec.write(dataset, fitted, metrics)
    return fitted, metrics


def test_what_is_written_is_what_was_made(made: tuple[Latents, CodecMetrics]) -> None:
    fitted, metrics = made
    found = latents.made()
    assert found == fitted
    assert torch.equal(found.encode(TEST), fitted.encode(TEST))
    assert autoencoder_folders.read(CODEC)[0] == fitted.autoencoder
    assert (CODEC / codec.SHEET).exists()
    assert CodecMetrics.load(codec.FILE) == metrics


def test_its_latents_are_standardised(made: tuple[Latents, CodecMetrics]) -> None:
    """As training draws them."""
    encoded = made[0].encode(TRAIN, Draws(1, range(len(TRAIN))))
    assert encoded.mean(dim=(0, 2, 3)).abs().max() < 0.05
    assert encoded.std(dim=(0, 2, 3)) == pytest.approx(torch.ones(4), abs=0.05)


def test_what_it_loses_is_measured_on_pictures_that_it_has_not_seen(made: tuple[Latents, CodecMetrics]) -> None:
    _, metrics = made
    assert metrics.given_back == len(TEST)
    assert 18 < metrics.psnr < 60
    assert metrics.psnr_low < metrics.psnr < metrics.psnr_high
    assert metrics.distance > metrics.distance_real > 0
    assert (metrics.factor, metrics.shape, metrics.images_seen, metrics.num_images) == (4, [4, 4, 4], 960, 80)
    assert min(metrics.seconds, metrics.seconds_per_encoded, metrics.seconds_per_decoded) > 0


class Killed(Exception):
    """Stands for kill -9."""


def test_killed_and_gone_on_with_it_is_the_same(
    made: tuple[Latents, CodecMetrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, other = Prepared.open(PREPARED), Stage("codec", {"once": "more"}, {})

    def killed_at_40(run: None, point: Point, images_per_second: float) -> None:
        if point.step == 40:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(codec, "report", killed_at_40)
        codec.trained(settings(), dataset, other, None)
    found, totals = codec.trained(settings(), dataset, other, None)
    assert totals.resumed == 1
    assert found.weights == made[0].weights
    codec.forget(other)
    assert not codec.workspace(other).exists()


def test_one_that_lies_in_a_folder_is_taken_as_it_is(place: Path, made: tuple[Latents, CodecMetrics]) -> None:
    made[0].save(place / "starts" / "ours")
    chosen, dataset = settings(autoencoder="starts/ours", tile=32, sampled=False), Prepared.open(PREPARED)
    found = codec.taken(chosen, dataset, "starts/ours")
    assert found.weights == made[0].weights
    assert (found.tile, found.sampled) == (32, False)
    metrics = codec.summarise(chosen, dataset, found.fitted(dataset.train), Totals(), Moment.now())
    assert metrics.images_seen == 0
    assert metrics.psnr == pytest.approx(made[1].psnr, abs=1e-3)


def test_data_that_are_no_pictures_are_refused() -> None:
    dataset = Prepared.open(PREPARED)
    codec.require_pictures(dataset)
    video = replace(dataset, codec_choice={"name": "pixels", "stored": [3, 16, 16, 1]})
    with pytest.raises(params.ParamsError, match=r"codec\.kind = latents: autoencoders are of pictures, and .* edges"):
        codec.require_pictures(replace(video, train=Frames()))


class Frames:
    stored = (3, 16, 16, 1)


def test_without_latents_there_is_nothing_to_be_made(place: Path) -> None:
    (place / params.FILE).write_text(json.dumps(changed("codec.kind", "pixels")))
    with pytest.raises(params.ParamsError, match=r"codec\.kind = pixels: only latents have a codec to be made"):
        codec.main()


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("{")])
def test_what_is_not_there_whole_is_told_with_what_makes_it(
    made: tuple[Latents, CodecMetrics], tmp_path: Path, damage: Any
) -> None:
    latents.write(made[0], tmp_path)
    damage(tmp_path / latents.CHOICE)
    with pytest.raises(UserError, match=r"missing or damaged .*: `dvc repro codec` makes it"):
        latents.made(tmp_path)


def test_what_is_trained_draws_and_weighs_as_the_settings_say() -> None:
    aim = codec.aim(settings(kl=0.25, perceptual=0.5, adversarial=0.1, sampled=False))
    assert (aim.kl, aim.perceptual_weight, aim.adversarial, aim.adversarial_after, aim.sampled) == (
        0.25, 0.5, 0.1, 480, False,
    )  # fmt: skip
    assert aim.perceptual is not None
    assert codec.aim(settings()).perceptual is None
    assert AutoencoderKL.of(settings().codec.untrained).latent_channels == 4


def test_what_the_settings_weigh_is_learnt() -> None:
    """Of parts of pictures, six steps, the discriminator's answer from the third on."""
    dataset = Prepared.open(PREPARED)
    each: list[dict[str, float]] = [{}, {"perceptual": 0.5}, {"adversarial": 0.1}]
    made = set()
    for weights in each:
        chosen, stage = settings(images_seen=96, crop=8, **weights), Stage("codec", {"weights": weights}, {})
        found, totals = codec.trained(chosen, dataset, stage, None)
        made.add(found.weights)
        assert (totals.resumed, np.isfinite(totals.curve[-1].loss)) == (0, True)
    assert len(made) == len(each)
