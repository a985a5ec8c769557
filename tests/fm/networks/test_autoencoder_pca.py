"""An autoencoder that begins as the principal components of patches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fm import autoencoder_folders
from fm.autoencoding import Autoencoding, Reconstruction
from fm.batches import Budget, Examples
from fm.codecs import Pixels
from fm.conditions import Unconditional
from fm.data.rows import Arrays
from fm.networks import Autoencoder, AutoencoderPCA
from fm.networks.autoencoder_pca_network import AutoencoderPCANetwork
from fm.training.loop import fit
from tests.fm.autoencoding.test_training import TEST, TRAIN

OPTIONS = AutoencoderPCA(in_channels=1, latent_channels=4, patch=4, widths=(8, 8), blocks=1)
EXAMPLES = Examples(Arrays({"data": TRAIN}), Pixels((16, 16, 1)), Unconditional())


def as_modelled(pictures: np.ndarray) -> Tensor:
    return Pixels((16, 16, 1)).encode(pictures)


def patches(pictures: Tensor) -> Tensor:
    """(N, numbers of a patch)."""
    return F.unfold(pictures, 4, stride=4).movedim(1, 2).flatten(0, 1)


def initialised(options: AutoencoderPCA = OPTIONS) -> AutoencoderPCANetwork:
    torch.manual_seed(0)
    network = options.build()
    network.initialise(as_modelled(part) for part in np.split(TRAIN, 4))
    return network


def test_it_begins_as_the_best_linear_one() -> None:
    """By the singular values of all patches together: what is lost is the square of those that are left out."""
    data = as_modelled(TRAIN)
    with torch.no_grad():
        lost = (initialised()(data) - data).double().square().sum()
    left_out = torch.linalg.svdvals(patches(data).double())[4:]
    assert lost.item() == pytest.approx(left_out.square().sum().item(), rel=1e-3)


def test_latents_go_their_own_ways_as_far_as_pictures_do() -> None:
    network, data = initialised(), as_modelled(TRAIN)
    with torch.no_grad():
        latents = network.encode(data)[0].movedim(1, -1).flatten(0, -2).double()
    moments = latents.T @ latents / len(latents)
    assert moments.trace().item() == pytest.approx(len(moments), rel=1e-4)
    squares = torch.linalg.svdvals(patches(data).double())[:4].square()
    torch.testing.assert_close(moments, torch.diag(4 * squares / squares.sum()), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(moments.diag().sqrt(), network.sizes.flatten().double(), rtol=1e-3, atol=1e-4)


def test_nothing_is_lost_with_as_many_components_as_numbers() -> None:
    data = as_modelled(TEST)
    with torch.no_grad():
        made = initialised(AutoencoderPCA(in_channels=1, latent_channels=16, patch=4, widths=(8, 8)))(data)
    torch.testing.assert_close(made, data, atol=1e-3, rtol=0)


def test_pictures_of_one_colour_divide_by_nothing() -> None:
    network = OPTIONS.build()
    network.initialise([torch.zeros(2, 1, 8, 8)])
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_training_betters_it() -> None:
    """Details among neighbouring patches, which no linear one has, of pictures that it has not seen."""
    torch.manual_seed(0)
    autoencoding = Autoencoding.untrained(OPTIONS)
    autoencoding.initialise(EXAMPLES)
    before, components = lost(autoencoding), own_components(autoencoding)
    budget = Budget(images_seen=1600, batch_size=16, learning_rate=3e-3, ema_decay=0.97)
    fit(autoencoding, Reconstruction(error="l2", kl=0, sampled=False), EXAMPLES, budget)
    assert lost(autoencoding) < 0.8 * before
    assert torch.equal(own_components(autoencoding), components)


def own_components(autoencoding: Autoencoding) -> Tensor:
    return dict(autoencoding.network.named_parameters())["autoencoder.components.weight"].detach().clone()


def lost(autoencoding: Autoencoding) -> float:
    """Mean squared difference in grey levels."""
    codec = autoencoding.codec((16, 16, 1), sampled=False).fitted(EXAMPLES.rows)
    return float(((codec.decode(codec.encode(TEST)).astype(float) - TEST) ** 2).mean())


def test_parts_of_a_picture_have_the_latents_that_they_have_in_it() -> None:
    """So that it learns from parts (Reconstruction.crop)."""
    data = as_modelled(TRAIN[:2])
    network = initialised()
    torch.testing.assert_close(network.encode(data[..., 4:12, 8:])[0], network.encode(data)[0][..., 1:3, 2:])


def test_it_lies_in_a_folder_and_comes_back(tmp_path: Path) -> None:
    network = initialised()
    autoencoder_folders.write(tmp_path, OPTIONS, network)
    options, read = autoencoder_folders.read(tmp_path)
    assert options == OPTIONS
    assert autoencoder_folders.digest(read) == autoencoder_folders.digest(network)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patch": 12, "widths": [8, 8, 8, 8]}, "must be a multiple of 8"),
        ({"patch": 2, "widths": [8], "latent_channels": 13}, "at most the 12 numbers of a patch"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Autoencoder.of({"name": "autoencoder_pca", **options})
