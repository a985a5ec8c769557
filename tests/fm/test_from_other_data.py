"""Paths that begin with another datum: image to image, a forecast from the present."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fm.batches import Batches, Budget, Examples
from fm.codecs import Codec, Pixels, Standardised
from fm.components import Choice
from fm.conditions import Unconditional
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.data.writing import write_fields
from fm.generator import Generator
from fm.likelihood import log_likelihood
from fm.noise import Purpose
from fm.noise_sources import Datum
from fm.objectives import Regression
from fm.training.loop import fit, untrained

CODEC = Standardised((1, 16), mean=(3.0,), deviation=(2.0,))
FORECAST: Choice = {"name": "datum", "field": "present"}
NETWORK: Choice = {"name": "unet", "width": 16, "multipliers": [1], "blocks": 1, "patch_size": 1, "padding": "circular"}
BUDGET = Budget(images_seen=16 * 150, batch_size=16, learning_rate=5e-3, ema_decay=0.9)


def waves(count: int, seed: int) -> Arrays:
    """Each a quarter of a period later than its `present`."""
    random = np.random.default_rng(seed)
    phases, heights = random.uniform(0, math.tau, (count, 1, 1)), random.uniform(1, 3, (count, 1, 1))
    now = (3 + heights * np.sin(np.arange(16) * math.tau / 16 + phases)).astype(np.float32)
    return Arrays({"data": np.roll(now, 4, axis=2), "present": now})


def objective(noise: float = 0.0) -> Regression:
    source: Choice = {"name": "datum", "field": "present", "noise": noise}
    return Regression.named("cond_ot", "independent", "uniform", "velocity", "flat", source=source)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """On a prepared data set that carries the field, saved and loaded."""
    folder = tmp_path_factory.mktemp("forecast")
    write_fields(folder / "prepared", "waves", waves(200, 0), waves(20, 1), CODEC, Unconditional())
    examples = Examples.of(Prepared.open(folder / "prepared"))
    torch.manual_seed(0)
    generator = untrained(objective(), examples, NETWORK)
    fit(generator, objective(), examples, BUDGET)
    generator.save(folder)
    return Generator.load(folder)


def test_what_comes_of_it_is_learnt(trained: Generator) -> None:
    test = waves(20, 1)
    made = trained.sample(20, seed=0, source=test.column("present"))
    error, change = (np.abs(one - test.data).mean() for one in (made, test.column("present")))
    assert error < change / 4
    assert np.array_equal(made, trained.sample(20, seed=5, source=test.column("present"))), "nothing is drawn"
    in_parts = trained.sample(20, seed=0, source=test.column("present"), batch_size=7)
    np.testing.assert_allclose(in_parts, made, atol=1e-5)


@pytest.mark.parametrize("codec", [CODEC, Pixels((4, 4, 1))], ids=["measurements", "pixels"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_batches_have_it_in_the_place_of_noise(codec: Codec, noise: float) -> None:
    random = np.random.default_rng(0)
    stored = random.integers(0, 255, (2, 20, *codec.stored)).astype(codec.dtype)
    rows = Arrays({"data": stored[0], "present": stored[1]})
    batch = Batches(Examples(rows, codec, Unconditional()), BUDGET, source=objective(noise).source)[0]
    plain = Batches(Examples(rows, codec, Unconditional()), BUDGET)[0]
    assert torch.equal(batch.data, plain.data)
    data, present = codec.encode(stored[0]), codec.encode(stored[1])
    places = [int((data == one).flatten(1).all(dim=1).nonzero()[0]) for one in batch.data]
    white = batch.draws.normal(codec.shape, Purpose.NOISE)
    torch.testing.assert_close(batch.noise(), present[places] + noise * white)


def test_noise_on_it_is_drawn_by_the_seed() -> None:
    examples = Examples(waves(20, 0), CODEC, Unconditional())
    generator = untrained(objective(0.5), examples, NETWORK)
    begin = waves(5, 1).column("present")
    one, again, other = (generator.sample(5, seed=seed, source=begin) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda generator, begin: generator.sample(5, 0), "begins with other data, and none are given"),
        (
            lambda generator, begin: generator.sample(4, 0, source=begin),
            r"source must be \(4, 1, 16\), as the data are",
        ),
        (lambda generator, begin: generator.sample(5, 0, solver="ddpm", source=begin), "has no noise to draw"),
        (
            lambda generator, begin: log_likelihood(lambda x, t: x, CODEC.encode(begin), source=generator.source),
            "no density of it",
        ),
        (lambda generator, begin: Datum().whitened(torch.zeros(1)), "no noise to draw"),
    ],
)
def test_what_cannot_be(trained: Generator, asked: Callable[[Generator, np.ndarray], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        asked(trained, waves(5, 1).column("present"))


def test_data_for_who_begins_with_noise_are_refused(tmp_path: Path) -> None:
    plain = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    generator = untrained(plain, Examples(waves(5, 0), CODEC, Unconditional()), NETWORK)
    with pytest.raises(ValueError, match="begins with noise, and not with other data"):
        generator.sample(5, 0, source=waves(5, 0).column("present"))


def test_a_field_called_source_changes_nothing_for_who_begins_with_noise() -> None:
    data = waves(20, 0).data
    plain, beside = (
        Batches(Examples(Arrays(fields), CODEC, Unconditional()), BUDGET)[0]
        for fields in ({"data": data}, {"data": data, "source": data})
    )
    assert torch.equal(plain.data, beside.data)
    assert torch.equal(plain.noise(), beside.noise())


def test_a_field_that_is_not_there_is_named() -> None:
    rows = Arrays({"data": waves(5, 0).data, "past": waves(5, 0).data})
    with pytest.raises(ValueError, match="the data have no present beside them, but past"):
        Batches(Examples(rows, CODEC, Unconditional()), BUDGET, source=objective().source)[0]
