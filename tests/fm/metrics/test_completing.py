"""How well data are completed of which a part is given: of samples whose score is known."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fm.batches import Budget, Examples
from fm.codecs import Standardised
from fm.conditions import FirstFrames, Given, LowResolution, Observed, Whole
from fm.data.rows import Arrays
from fm.generator import Generator
from fm.metrics.completing import DATA, MEMBERS, Completed, complete, examples, is_given_a_part, unknown_points
from fm.objectives import Regression
from fm.training.loop import fit, untrained

SHAPE = 1, 8, 4
CODEC = Standardised(SHAPE, mean=(3.0,), deviation=(2.0,))
OBJECTIVE = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")


def split(seed: int, count: int) -> Arrays:
    """Each datum is one number throughout: a part of it says the rest."""
    random = np.random.default_rng(seed)
    level = random.normal(3, 2, (count, 1, 1, 1))
    return Arrays({"data": np.broadcast_to(level, (count, *SHAPE)).astype(np.float32).copy()})


TRAIN, TEST = split(0, 400), split(1, 60)


def generator(given: Given, images_seen: int = 0) -> Generator:
    torch.manual_seed(0)
    rows = Examples(TRAIN, CODEC, given.for_codec(CODEC))
    made = untrained(OBJECTIVE, rows, {"name": "unet", "width": 8, "multipliers": [1], "blocks": 1})
    if images_seen:
        fit(made, OBJECTIVE, rows, Budget(images_seen, batch_size=40, learning_rate=1e-2, ema_decay=0.95))
    return made.with_sampler(replace_steps(made, 5))


def replace_steps(made: Generator, steps: int) -> Any:
    return made.config.sampler.model_copy(update={"solver": "euler", "steps": steps})


def scored(made: Generator, samples: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch) -> Completed:
    """Of a generator that is made to say these, as stored, (DATA, MEMBERS, *SHAPE)."""
    parts = iter(samples)

    def said(*_: Any) -> tuple[Tensor, int]:
        return CODEC.encode(next(parts).astype(np.float32)), 5

    monkeypatch.setattr(made, "sample_float", said)
    return complete(made, TRAIN, TEST, seed=0)


def truth() -> NDArray[np.float64]:
    return np.stack([one.stored for one in examples(TEST)])[:, np.newaxis].astype(np.float64)


def test_the_truth_scores_0_and_what_knows_nothing_as_training_data_do(monkeypatch: pytest.MonkeyPatch) -> None:
    made = generator(FirstFrames(SHAPE, count=2))
    right = scored(made, truth().repeat(MEMBERS, axis=1), monkeypatch)
    assert np.allclose(right.crps, 0, atol=1e-6)
    # Of independent normal numbers the score is the mean of |x - y| less half of that of |x - x'|: 1 / sqrt(pi).
    assert np.mean(right.unconditional) == pytest.approx(1 / np.sqrt(np.pi), abs=0.2)
    random = np.random.default_rng(0)
    like = random.normal(3, 2, (DATA, MEMBERS, *SHAPE))
    assert np.mean(scored(made, like, monkeypatch).crps) == pytest.approx(1 / np.sqrt(np.pi), abs=0.1)


def test_members_around_the_truth_are_as_sure_as_they_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The truth is one of them, moved by a mean that none of them knows."""
    random = np.random.default_rng(0)
    middle = truth() + random.normal(0, 0.5, (DATA, 1, *SHAPE))
    found = scored(
        generator(FirstFrames(SHAPE, count=2)), middle + random.normal(0, 0.5, (DATA, MEMBERS, *SHAPE)), monkeypatch
    )
    assert found.spread_by_error == pytest.approx(1, abs=0.1)
    shares = found.ranks.sum(axis=0) / found.ranks.sum()
    assert np.allclose(shares, 1 / (MEMBERS + 1), atol=0.04)
    narrow = scored(
        generator(FirstFrames(SHAPE, count=2)), middle + random.normal(0, 0.05, (DATA, MEMBERS, *SHAPE)), monkeypatch
    )
    assert narrow.spread_by_error < 0.3


def test_what_is_given_does_not_count() -> None:
    frames, low, observed = (
        generator(one)
        for one in (FirstFrames(SHAPE, count=2), LowResolution(SHAPE, factor=2), Observed(SHAPE, share=0.5))
    )
    whole = Whole(TEST.data[0], 0)
    assert unknown_points(frames, whole).sum(axis=1).tolist() == [0, 0, 4, 4, 4, 4, 4, 4]
    assert unknown_points(low, whole).all(), "means are no values of the data's own"
    told = observed.conditioner.read([whole])["given"][0, -1].bool().numpy()
    assert np.array_equal(unknown_points(observed, whole), ~told)


def test_a_network_that_has_learnt_tells_the_rest() -> None:
    learnt = generator(FirstFrames(SHAPE, count=2), images_seen=12_000)
    assert is_given_a_part(learnt)
    found = complete(learnt, TRAIN, TEST, seed=0)
    assert found.nfe == 5
    assert len(found.crps) == DATA
    assert np.mean(found.crps) < 0.3 * np.mean(found.unconditional)
    other = complete(generator(FirstFrames(SHAPE, count=2)), TRAIN, TEST, seed=0)
    assert np.mean(other.crps) > 2 * np.mean(found.crps)


def test_data_of_which_everything_is_given_are_left_out() -> None:
    found = complete(generator(Observed(SHAPE, share=0.97)), TRAIN, TEST, seed=0)
    assert 2 <= len(found.crps) < DATA
    assert np.isfinite([found.crps, found.unconditional, found.spread, found.error]).all()
