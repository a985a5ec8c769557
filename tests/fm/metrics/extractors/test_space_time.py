"""Waves along one to three axes are told from noise that has their spectrum, and from themselves in another order."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fm.codecs import Codec, Pixels, Standardised
from fm.conditions import Labels, Unconditional
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.data.writing import write_fields
from fm.metrics.distances import gaussian_distance, moments
from fm.metrics.extractors import Asked, ExtractorError, SpaceTime, load, prepare
from fm.metrics.extractors.space_time_network import SpaceTimeNetwork, damaged
from fm.spectral import divergence_of, velocity_of

CPU = torch.device("cpu")
Ask = Callable[..., Asked]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpaceTime, "epochs", 1)
    monkeypatch.setattr(SpaceTime, "least_steps", 40)
    monkeypatch.setattr(SpaceTime, "training_batch", 32)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def asked(train: Arrays, test: Arrays, codec: Codec, names: tuple[str, ...] = ()) -> Asked:
        conditioner = Labels(names) if names else Unconditional()
        write_fields(tmp_path / "prepared", "waves", train, test, codec, conditioner)
        dataset = Prepared.open(tmp_path / "prepared")
        return Asked("space_time", dataset, CPU, None, tmp_path / "cache", lambda line: None)

    return asked


def fronts(count: int, seed: int) -> NDArray[np.float32]:
    """Periodic fields of one channel and 16 x 16 points: +1 on one side of a front, -1 on the other, whose direction
    and place are drawn."""
    random = np.random.default_rng(seed)
    places = np.arange(16) + random.integers(0, 16, (count, 1))
    steps = np.sign(np.sin(places * np.pi / 8 + 0.1))[:, np.newaxis, :, np.newaxis].repeat(16, axis=3)
    turned = random.random(count) < 0.5
    steps[turned] = steps[turned].swapaxes(2, 3)
    return steps.astype(np.float32)


def of_random_phases(fields: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    phases = np.angle(np.fft.rfft2(np.random.default_rng(seed).normal(size=fields.shape)))
    made = np.fft.irfft2(np.fft.rfft2(fields) * np.exp(1j * phases), s=fields.shape[2:])
    return made.astype(np.float32)


def test_fields_are_told_from_noise_of_their_spectrum(ask: Ask) -> None:
    train, test = fronts(300, 0), fronts(200, 1)
    rows = Arrays({"data": train})
    extractor = prepare(ask(rows, Arrays({"data": test}), Standardised.fitted(rows)))
    fitted = moments(extractor.features(train))

    def distance(data: NDArray[np.float32]) -> float:
        return gaussian_distance(moments(extractor.features(data)), fitted)

    assert distance(of_random_phases(test, 2)) > 5 * distance(test)
    assert extractor.classify(test) is None


def clips(count: int, seed: int) -> Arrays:
    """Videos of a square that moves to the right, or down, by a pixel a frame: labels 0 and 1."""
    random = np.random.default_rng(seed)
    labels, starts = np.arange(count) % 2, random.integers(0, 2, (count, 2))
    videos = np.zeros((count, 6, 8, 8, 1), dtype=np.uint8)
    for video, label, (row, column) in zip(videos, labels, starts, strict=True):
        for frame in range(6):
            top, left = row + frame * label, column + frame * (1 - label)
            video[frame, top : top + 2, left : left + 2] = 255
    return Arrays({"data": videos, "label": labels})


def test_videos_are_told_from_their_frames_in_another_order_and_their_labels_are_seen(ask: Ask, tmp_path: Path) -> None:
    train, test = clips(200, 0), clips(100, 1)
    extractor = prepare(ask(train, test, Pixels((6, 8, 8, 1)), ("right", "down")))
    fitted = moments(extractor.features(train.data))
    shuffled = test.data[:, [3, 0, 5, 2, 4, 1]]
    floor, found = (gaussian_distance(moments(extractor.features(data)), fitted) for data in (test.data, shuffled))
    assert found > 5 * floor
    seen = extractor.classify(test.data)
    assert seen is not None
    assert (seen == test.column("label")).mean() > 0.9
    extractor.save(tmp_path)
    loaded = load(tmp_path, CPU)
    assert np.array_equal(loaded.features(test.data), extractor.features(test.data))


def test_data_without_an_axis_are_refused(ask: Ask) -> None:
    rows = Arrays({"data": np.zeros((4, 5), np.float32)})
    with pytest.raises(ExtractorError, match=r"along one to three axes, and each datum of waves is \(5,\)"):
        prepare(ask(rows, rows, Standardised((5,))))


@pytest.mark.parametrize("shape", [(1, 5), (3, 40_000), (2, 4, 6), (1, 300, 70), (1, 2, 3, 4), (1, 40, 60, 50)])
def test_it_looks_at_any_size(shape: tuple[int, ...]) -> None:
    network = SpaceTimeNetwork(shape, classes=2, wraps=(True,) * (len(shape) - 1))
    assert network(torch.zeros(2, *shape)).logits.shape == (2, 2)


def test_turned_phases_leave_the_spectrum_and_the_divergence_as_they_are() -> None:
    vorticity = np.random.default_rng(0).normal(size=(3, 16, 16))
    fields = torch.from_numpy(velocity_of(vorticity))
    torch.manual_seed(0)
    turned = damaged(fields, torch.tensor([[1.0, 0.0, 0.0]]).double().expand(3, 3), scale=1.0)
    assert (turned - fields).abs().max() > 0.1
    torch.testing.assert_close(torch.fft.fft2(turned).abs(), torch.fft.fft2(fields).abs(), rtol=1e-9, atol=1e-9)
    assert np.abs(divergence_of(turned.numpy())).max() < 1e-9


def test_blur_and_noise_are_what_they_say() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 1, 64, 64, dtype=torch.float64)
    amounts = torch.tensor([[0.0, 0.0, 0.5]], dtype=torch.float64)
    assert (damaged(x, amounts, scale=2.0) - x).std().item() == pytest.approx(2 * 0.5**2, rel=0.05)
    delta = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    delta[0, 0, 32, 32] = 1.0
    blurred = damaged(delta, torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64), scale=1.0)[0, 0]
    places = torch.arange(64, dtype=torch.float64) - 32
    assert blurred.sum().item() == pytest.approx(1.0)
    assert (blurred.sum(dim=1) * places**2).sum().item() == pytest.approx(2.0**2, rel=1e-3)


def test_what_it_is_trained_on_is_a_function_of_the_data_alone(ask: Ask) -> None:
    rows = Arrays({"data": fronts(64, 0)})
    asked = ask(rows, rows, Standardised.fitted(rows))
    first = prepare(asked).features(rows.data)
    torch.manual_seed(5)
    assert np.array_equal(prepare(asked).features(rows.data), first)
