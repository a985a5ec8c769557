import numpy as np
import pytest
import torch

from fm import noise
from fm.batches import Batches, Budget

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(50) % 10


def budget(**changes: float) -> Budget:
    plan = {"images_seen": 400, "batch_size": 16, "learning_rate": 1e-3, "warmup_steps": 5, "ema_decay": 0.9}
    return Budget(**(plan | {"label_dropout": 0.5, "gradient_clip": 1.0, "seed": 3} | changes))  # type: ignore[arg-type]


def test_a_batch_is_a_function_of_its_step() -> None:
    batches, again = Batches(IMAGES, LABELS, 10, budget()), Batches(IMAGES, LABELS, 10, budget())
    assert len(batches) == 25
    in_order = [batches[step] for step in range(25)]
    for step in (20, 3, 11):
        for mine, other in zip(in_order[step], again[step], strict=True):
            assert torch.equal(mine, other)
    assert not torch.equal(in_order[0].x0, in_order[1].x0)
    assert not torch.equal(in_order[0].x0, Batches(IMAGES, LABELS, 10, budget(seed=4))[0].x0)


def test_no_sample_of_the_same_seed_starts_from_noise_seen_in_training() -> None:
    batches = Batches(IMAGES, LABELS, 10, budget())
    seen = torch.cat([batches[step].x0 for step in range(25)]).flatten(1)
    starts = noise.normal(noise.streams(3, range(400), noise.Purpose.SAMPLE), (64,))
    shared = np.corrcoef(seen.numpy(), starts.numpy())[:400, 400:]
    assert np.abs(shared).max() < 0.8  # of 64 numbers, in 160,000 pairs: by chance about 0.6


def test_every_epoch_has_every_image_once_in_another_order() -> None:
    batches = Batches(IMAGES, np.arange(50), 50, budget(batch_size=50))
    first, second = batches[0].labels, batches[1].labels
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("stratified", [False, True])
def test_processes_share_one_global_batch(stratified: bool) -> None:
    whole = Batches(IMAGES, LABELS, 10, budget(), stratified)[7]
    parts = [Batches(IMAGES, LABELS, 10, budget(), stratified, rank, 2)[7] for rank in range(2)]
    for name in ("x1", "x0", "u", "labels", "condition"):
        joined = torch.stack([getattr(part, name) for part in parts], dim=1).flatten(0, 1)
        assert torch.equal(joined, getattr(whole, name)), name


def test_stratified_times_have_one_in_each_of_equal_intervals() -> None:
    u = Batches(IMAGES, LABELS, 10, budget(), stratified=True)[3].u
    assert torch.equal((u * 16).floor(), torch.arange(16.0))
    assert not torch.equal(u, Batches(IMAGES, LABELS, 10, budget(), stratified=True)[4].u)


def test_labels_are_dropped_as_often_as_said() -> None:
    batches = Batches(IMAGES, LABELS, 10, budget(images_seen=16_000))
    dropped = torch.cat([batches[step].condition == 10 for step in range(200)]).float().mean()
    assert float(dropped) == pytest.approx(0.5, abs=0.04)
    kept = batches[0].condition != 10
    assert torch.equal(batches[0].condition[kept], batches[0].labels[kept])
