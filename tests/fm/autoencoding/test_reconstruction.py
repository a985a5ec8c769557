"""The loss of an autoencoder, held against PyTorch's own distributions and against each network's own part of it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from fm.autoencoding import Autoencoding, Perceptual, Reconstruction
from fm.autoencoding.autoencoding import InTraining
from fm.autoencoding.discriminator import told_apart
from fm.autoencoding.reconstruction import part_of
from fm.batches import Batch, Batches, Budget, Examples
from fm.codecs import Pixels
from fm.conditions import Unconditional
from fm.data.rows import Arrays
from fm.errors import UserError
from fm.metrics.extractors.classifier import ClassifierExtractor
from fm.metrics.extractors.classifier_network import Classifier
from fm.metrics.extractors.efficientnet import EfficientNetExtractor, pretrained
from fm.metrics.extractors.own import OwnExtractor
from fm.networks import AutoencoderKL
from fm.noise import Purpose

SMALL = AutoencoderKL(in_channels=1, block_out_channels=(8, 16), norm_num_groups=4, latent_channels=2)
PICTURES = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)


def batch(step: int = 0) -> Batch:
    examples = Examples(Arrays({"data": PICTURES}), Pixels((16, 16, 1)), Unconditional())
    return Batches(examples, Budget(images_seen=64, batch_size=8, learning_rate=1e-3))[step]


@pytest.fixture
def network() -> InTraining:
    torch.manual_seed(0)
    made = Autoencoding.untrained(SMALL, adversarial=True).network
    assert isinstance(made, InTraining)
    for weight in made.parameters():
        nn.init.normal_(weight, std=0.1)
    return made


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("error", ["l1", "l2"])
def test_it_is_the_error_and_the_divergence(network: InTraining, error: Any, sampled: bool) -> None:
    some = batch()
    mean, log_variance = network.autoencoder.encode(some.data)
    spread = (log_variance / 2).exp()
    noise = some.draws.normal((2, 8, 8), Purpose.ENCODING)
    made = network.autoencoder.decode(mean + spread * noise if sampled else mean)
    apart = (F.l1_loss if error == "l1" else F.mse_loss)(made, some.data)
    divergence = kl_divergence(Normal(mean, spread), Normal(0.0, 1.0)).sum(dim=(1, 2, 3)).mean() / 256
    found = Reconstruction(error=error, kl=30.0, sampled=sampled).loss(network, some, network)
    torch.testing.assert_close(found, apart + 30 * divergence, rtol=1e-5, atol=1e-6)
    off = apart + 1.01 * 30 * divergence
    assert abs(float(found - off)) > 1e-4 * float(found)


def gradients(loss: Tensor, of: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(of.parameters()), retain_graph=True, allow_unused=True))


def test_each_network_learns_from_its_own_part(network: InTraining) -> None:
    """The discriminator to tell apart, the autoencoder not to be told apart, of the same pictures."""
    some, discriminator = batch(), network.discriminator
    assert discriminator is not None
    aim = Reconstruction(kl=0.0, sampled=False, adversarial=0.2)
    found = aim.loss(network, some, network)
    _, _, made = network(some.data, None)
    hinge = told_apart(discriminator(some.data), discriminator(made.detach()))
    fooling = (made - some.data).abs().mean() - 0.2 * discriminator(made).mean()
    torch.testing.assert_close(found, hinge + fooling, rtol=1e-5, atol=1e-6)
    for part, its in ((discriminator, hinge), (network.autoencoder.decoder, fooling)):
        torch.testing.assert_close(gradients(found, part), gradients(its, part), rtol=1e-4, atol=1e-7)
    assert all(weight.requires_grad for weight in discriminator.parameters())


def test_the_discriminator_counts_after_so_many_images(network: InTraining) -> None:
    """Steps of 8 images: it is asked from the second on, and learns from the first."""
    aim = Reconstruction(adversarial=0.2, adversarial_after=8)
    assert network.discriminator is not None
    for step, counts in ((0, False), (1, True)):
        some = batch(step)
        apart = float(aim.loss(network, some, network) - Reconstruction().loss(network, some, network))
        _, _, made = network(some.data, some.draws.normal((2, 8, 8), Purpose.ENCODING))
        hinge = told_apart(network.discriminator(some.data), network.discriminator(made))
        said = 0.2 * float(network.discriminator(made).mean())
        assert apart == pytest.approx(float(hinge) - (said if counts else 0), abs=1e-4)


def test_a_part_of_each_picture_is_a_part_of_it_at_any_place() -> None:
    some = batch()
    parts = part_of(some, 12)
    found = set()
    for part, whole in zip(parts, some.data, strict=True):
        places = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(part, whole[:, top : top + 12, left : left + 12])
        ]
        assert len(places) == 1
        found.update(places)
    assert len(found) > 3
    assert torch.equal(part_of(some, 16), some.data)
    halves = torch.cat([part_of(half, 12) for half in some.in_parts(2)])
    assert torch.equal(halves, parts)


def test_what_is_learnt_from_is_that_part(network: InTraining) -> None:
    some, aim = batch(), Reconstruction(sampled=True, crop=8)
    seen = some._replace(data=part_of(some, 8))
    assert float(aim.loss(network, some, network)) == float(Reconstruction().loss(network, seen, network))


def test_a_discriminator_that_is_not_there_is_told() -> None:
    network = Autoencoding.untrained(SMALL).network
    with pytest.raises(ValueError, match=r"adversarial needs a discriminator: Autoencoding\.untrained"):
        Reconstruction(adversarial=0.1).loss(network, batch(), network)


def classifier() -> ClassifierExtractor:
    torch.manual_seed(0)
    return ClassifierExtractor(Classifier(1, 16, 10), {}, torch.device("cpu"))


def test_the_distance_of_what_a_classifier_sees() -> None:
    """Of activations at three sizes, each position's of length 1; by its formula."""
    extractor = classifier()
    perceptual = Perceptual.of(extractor)
    real, made = (torch.randn(3, 1, 16, 16) for _ in range(2))
    expected = []
    for last in (3, 6, 10):
        body = extractor.network.body[:last]
        one, other = (F.normalize(body(x), dim=1) for x in (real, made))
        expected.append(1 - (one * other).sum(dim=1))  # half of the squared distance of unit vectors
    by_formula = torch.stack([2 * each.mean() for each in expected]).mean()
    torch.testing.assert_close(perceptual(made, real), by_formula, rtol=1e-3, atol=1e-4)
    assert float(perceptual(real, real)) == 0
    assert not any(weight.requires_grad for weight in extractor.network.parameters())


def test_the_loss_has_the_distance_and_its_gradient(network: InTraining) -> None:
    perceptual = Perceptual.of(classifier())
    some, aim = batch(), Reconstruction(sampled=False, perceptual=perceptual, perceptual_weight=0.5)
    _, _, made = network(some.data, None)
    found, without = aim.loss(network, some, network), Reconstruction(sampled=False).loss(network, some, network)
    torch.testing.assert_close(found - without, 0.5 * perceptual(made, some.data), rtol=1e-4, atol=1e-5)
    of_both, of_one = (gradients(loss, network.autoencoder.decoder)[0] for loss in (found, without))
    assert float((of_both - of_one).abs().max()) > 0


@pytest.mark.parametrize("side", [16, 100])
def test_parts_of_pictures_are_compared_too(side: int) -> None:
    """The classifier's last layers know whole pictures alone."""
    torch.manual_seed(0)
    some = batch()._replace(data=torch.rand(8, 1, side, side))
    extractor = ClassifierExtractor(Classifier(1, side, 10), {}, torch.device("cpu"))
    network = Autoencoding.untrained(SMALL).network
    aim = Reconstruction(crop=8, perceptual=Perceptual.of(extractor))
    assert aim.loss(network, some, network) > Reconstruction(crop=8).loss(network, some, network)


def test_efficientnet_sees_a_blur_and_no_extractor_without_layers_is_taken() -> None:
    perceptual = Perceptual.of(EfficientNetExtractor(pretrained(), torch.device("cpu")))
    real = torch.from_numpy(PICTURES[:2]).movedim(-1, 1).float() / 127.5 - 1
    near, far = (real + width * torch.randn(real.shape) for width in (0.01, 0.3))
    assert 0 < float(perceptual(near, real)) < float(perceptual(far, real))
    assert perceptual(far.requires_grad_(), real).requires_grad
    with pytest.raises(UserError, match="has no layers to compare pictures by"):
        Perceptual.of(object.__new__(OwnExtractor))
