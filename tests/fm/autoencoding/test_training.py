"""An autoencoder learns to give pictures back, is stopped and goes on, and a generator learns in its latents."""

from pathlib import Path

import numpy as np
import pytest
import torch

import fm
from fm import autoencoder_folders
from fm.autoencoding import Autoencoding, Reconstruction
from fm.batches import Budget, Examples
from fm.codecs import Encoded, Latents, Pixels
from fm.conditions import Unconditional
from fm.data.rows import Arrays
from fm.images import Images
from fm.metrics.reconstruction import psnr
from fm.networks import AutoencoderKL
from fm.noise import Draws
from fm.training.callbacks import Point
from fm.training.trainer import Hardware, Keeping, Watching
from fm.training.trainer import train as train_by_lightning

SMALL = AutoencoderKL(
    in_channels=1, block_out_channels=(8, 16, 16), norm_num_groups=4, latent_channels=4, mid_block_add_attention=False
)
AIM = Reconstruction(kl=1e-5)


def halves(seed: int, count: int) -> Images:
    """Pictures (count, 16, 16, 1) of an edge at some angle and place, one side of it dark and the other bright."""
    random = np.random.default_rng(seed)
    angle, place = random.uniform(0, 2 * np.pi, (count, 1, 1)), random.uniform(-5, 5, (count, 1, 1))
    across, down = np.meshgrid(np.arange(16) - 7.5, np.arange(16) - 7.5)
    far = np.cos(angle) * across + np.sin(angle) * down - place
    dark, bright = random.uniform(0, 90, (count, 1, 1)), random.uniform(165, 255, (count, 1, 1))
    return (dark + (bright - dark) / (1 + np.exp(-far)))[..., np.newaxis].round().astype(np.uint8)


TRAIN, TEST = halves(0, 400), halves(1, 100)
EXAMPLES = Examples(Arrays({"data": TRAIN}), Pixels((16, 16, 1)), Unconditional())


@pytest.fixture(scope="module")
def learnt() -> Latents:
    """Of factor 4, after 100 steps."""
    torch.manual_seed(0)
    autoencoding = Autoencoding.untrained(SMALL)
    fm.fit(autoencoding, AIM, EXAMPLES, Budget(images_seen=1600, batch_size=16, learning_rate=1e-2, ema_decay=0.97))
    return autoencoding.codec((16, 16, 1)).fitted(EXAMPLES.rows)


def test_it_gives_back_pictures_that_it_has_not_seen(learnt: Latents) -> None:
    given_back = psnr(learnt.decode(learnt.encode(TEST)), TEST)
    as_grey = psnr(np.broadcast_to(TEST.mean(axis=(1, 2, 3), keepdims=True), TEST.shape).astype(np.uint8), TEST)
    assert given_back.mean() > as_grey.mean() + 8
    assert given_back.mean() > 20


def test_a_generator_learns_in_its_latents(learnt: Latents) -> None:
    """By the existing objective; its pictures are nearer to the data's, in mean and spread, than noise decoded is."""
    codec = Encoded.of_latents(learnt)
    examples = Examples(Arrays({"data": codec.stores(TRAIN)}), codec, Unconditional())
    objective = fm.Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    torch.manual_seed(0)
    generator = fm.untrained(objective, examples, {"name": "transformer", "width": 32, "blocks": 2, "patch_size": 1})
    losses: list[float] = []
    budget = Budget(images_seen=4800, batch_size=32, learning_rate=3e-3, ema_decay=0.97)
    fm.fit(generator, objective, examples, budget, lambda step, loss: losses.append(loss))
    assert np.mean(losses[-20:]) < 0.75 * np.mean(losses[:5])

    def from_data(pictures: Images) -> float:
        """In the pixels of a quarter of the size."""
        small = [x.reshape(-1, 4, 4, 4, 4).mean(axis=(2, 4)).reshape(-1, 16) / 255 for x in (pictures, TEST)]
        return fm.frechet_distance(*small)

    noise = learnt.decode(torch.randn(200, *learnt.shape, generator=torch.Generator().manual_seed(0)))
    assert from_data(generator.sample(200, seed=0)) < 0.7 * from_data(noise)


class Killed(Exception):
    """Stands for kill -9: nothing is saved, nothing tidied up."""


def trained(folder: Path, killed_at: int | None = None) -> Autoencoding:
    def report(point: Point, images_per_second: float) -> None:
        if point.step == killed_at:
            raise Killed

    torch.manual_seed(0)
    autoencoding = Autoencoding.untrained(SMALL, adversarial=True)
    train_by_lightning(
        autoencoding,
        Reconstruction(adversarial=0.1, adversarial_after=12),
        EXAMPLES,
        Budget(images_seen=48, batch_size=4, learning_rate=1e-3, ema_decay=0.9),
        Keeping(folder / "last.ckpt", key="this training", every=4),
        Hardware("cpu", precision="32-true"),
        Watching("autoencoder", report, lambda step, one: one.save(folder / "shown")),
    )
    return autoencoding


def test_killed_and_resumed_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Discriminator and all."""
    whole = trained(tmp_path / "whole").network.state_dict()
    with pytest.raises(Killed):
        trained(tmp_path / "killed", killed_at=7)
    resumed = trained(tmp_path / "killed")
    assert all(torch.equal(value, whole[name]) for name, value in resumed.network.state_dict().items())
    assert any(name.startswith("discriminator.") for name in whole)
    resumed.save(tmp_path / "saved")
    options, network = autoencoder_folders.read(tmp_path / "saved")
    assert options == SMALL
    assert autoencoder_folders.digest(network) == resumed.codec((16, 16, 1)).weights
    assert autoencoder_folders.autoencoder_in(tmp_path / "whole" / "shown") == SMALL


def test_without_drawing_the_mean_is_learnt_and_the_codec_says_so() -> None:
    """Its log-variance learns nothing, and nothing is drawn by it."""
    torch.manual_seed(0)
    autoencoding = Autoencoding.untrained(SMALL)
    fm.fit(
        autoencoding,
        Reconstruction(error="l2", kl=0.0, sampled=False),
        EXAMPLES,
        Budget(images_seen=160, batch_size=16, learning_rate=3e-3),
    )
    codec = autoencoding.codec((16, 16, 1), sampled=False).fitted(EXAMPLES.rows)
    assert torch.equal(codec.encode(TEST, Draws(0, range(len(TEST)))), codec.encode(TEST))
    assert codec.encode(TRAIN).std().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("widths", "factor"), [((8,) * 3, 4), ((8,) * 6, 32)])
def test_the_factor_is_that_of_the_levels(widths: tuple[int, ...], factor: int) -> None:
    autoencoder = AutoencoderKL(block_out_channels=widths, norm_num_groups=4)
    codec = Autoencoding.untrained(autoencoder).codec((32, 64, 3))
    assert codec.shape == (4, 32 // factor, 64 // factor)
    pictures = np.zeros((1, 32, 64, 3), np.uint8)
    assert codec.decode(codec.encode(pictures)).shape == pictures.shape
