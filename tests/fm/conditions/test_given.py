"""What is given of the data themselves: seen alike in training and when it is asked for, and of use to a network."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch

from fm.batches import Batches, Budget, Examples
from fm.codecs import Codec, Pixels, Standardised
from fm.components import Choice
from fm.conditions import Conditioner, FirstFrames, Given, Labels, LowResolution, Observed, Unconditional, Whole
from fm.data.rows import Arrays
from fm.generator import Generator
from fm.noise import Draws
from fm.objectives import Regression
from fm.pairs import under
from fm.training.loop import fit, untrained

VIDEO, FIELD = (2, 4, 6, 6), (1, 8, 8)
FIELDS = Standardised(FIELD, mean=(3.0,), deviation=(2.0,))
VIDEOS = Standardised(VIDEO, mean=(1.0, -1.0), deviation=(2.0, 0.5))
GIVEN: dict[str, tuple[Given, Codec]] = {
    "first frames": (FirstFrames(VIDEO, count=2), VIDEOS),
    "low resolution": (LowResolution(FIELD, factor=4), FIELDS),
    "observed": (Observed(FIELD, share=0.3), FIELDS),
}
EACH = pytest.mark.parametrize(("given", "codec"), GIVEN.values(), ids=GIVEN)


def data_of(codec: Codec, count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(2, 3, (count, *codec.stored)).astype(np.float32)


@EACH
def test_what_is_given_is_seen_and_nothing_else(given: Given, codec: Codec) -> None:
    x = codec.encode(data_of(codec))
    told = given.of_data(x, Draws(0, range(5)))["given"]
    values, there = told[:, :-1], told[:, -1:]
    assert told.shape == (5, given.fields["given"].channels, *codec.shape[1:])  # type: ignore[union-attr]
    assert set(there.unique().tolist()) <= {0.0, 1.0}
    assert not values[~there.bool().expand_as(values)].any()
    part, where = given.part(x, Draws(0, range(5)))
    torch.testing.assert_close(values[there.bool().expand_as(values)], part[where.bool().expand_as(part)])
    assert not given.null({"given": told})["given"].any()


@EACH
def test_it_is_chosen_by_its_choice(given: Given, codec: Codec) -> None:
    assert Conditioner.of(given.choice) == given


def test_frames_that_are_asked_for_are_read_as_those_that_are_trained_on() -> None:
    data = data_of(VIDEOS)
    frames = FirstFrames(VIDEO, count=2)
    trained = frames.of_data(VIDEOS.encode(data), Draws(0, range(5)))["given"]
    changed = data.copy()
    changed[:, :, 2:] = 0  # the others are not looked at
    assert torch.equal(frames.for_codec(VIDEOS).read(list(changed))["given"], trained)
    assert torch.equal(trained[:, -1, :2], torch.ones(5, 2, 6, 6))


@EACH
def test_whole_data_are_asked_for_as_they_are_trained_on(given: Given, codec: Codec) -> None:
    data = data_of(codec)
    trained = given.of_data(codec.encode(data), Draws(0, range(5)))["given"]
    asked = given.for_codec(codec).read([Whole(one, number) for number, one in enumerate(data)])["given"]
    assert torch.equal(asked, trained)


def test_low_resolution_is_the_means_of_squares() -> None:
    data = data_of(FIELDS)
    squares = data.reshape(5, 1, 2, 4, 2, 4).mean(axis=(3, 5))
    told = LowResolution(FIELD, factor=4).of_data(FIELDS.encode(data), Draws(0, range(5)))["given"]
    torch.testing.assert_close(told[:, :1, ::4, ::4], FIELDS.encode(squares.repeat(4, 2).repeat(4, 3))[:, :, ::4, ::4])
    by_squares = LowResolution(FIELD, factor=4).for_codec(FIELDS).read(list(squares.repeat(4, 2).repeat(4, 3)))
    torch.testing.assert_close(by_squares["given"], told)


def test_points_are_observed_anew_at_every_visit_as_often_as_is_said() -> None:
    observed, x = Observed((1, 100, 100), share=0.3), torch.randn(2, 1, 100, 100)
    one, again, other = (observed.of_data(x, Draws(0, rows))["given"] for rows in ([1, 2], [1, 2], [3, 4]))
    assert torch.equal(one, again)
    assert not torch.equal(one[:, 1], other[:, 1])
    assert one[:, 1].mean().item() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("codec", [FIELDS, Pixels((8, 8, 3))], ids=["measurements", "pixels"])
def test_observations_come_with_what_is_missing(codec: Codec) -> None:
    random = np.random.default_rng(0)
    datum = random.integers(1, 255, codec.stored).astype(codec.dtype)
    missing = random.random((8, 8)) < 0.7
    everywhere = np.broadcast_to(missing[None] if codec is FIELDS else missing[..., None], codec.stored)
    observed = Observed(codec.shape).for_codec(codec)
    told = observed.read([np.ma.masked_array(datum, mask=everywhere)])["given"][0]
    assert torch.equal(told[-1].bool(), torch.from_numpy(~missing))
    x = codec.encode(datum[None])[0]
    assert torch.equal(told[:-1], torch.where(torch.from_numpy(~missing), x, 0.0))
    if codec is FIELDS:
        assert torch.equal(observed.read([np.where(everywhere, np.nan, datum)])["given"][0], told)


def test_values_that_are_large_beside_one_are_observed_too() -> None:
    """As numbers of molecules are, whose deviation is so large that 1 is as good as 0."""
    codec = Standardised(FIELD, mean=(3e9,), deviation=(1e9,))
    datum = np.full(FIELD, np.nan)
    datum[0, 2, 3] = 4e9
    told = Observed(FIELD).for_codec(codec).read([datum])["given"][0]
    assert told[:, 2, 3].tolist() == [1.0, 1.0]
    assert told[-1].sum() == 1


def test_frames_that_are_not_looked_at_need_no_numbers() -> None:
    pixels = Pixels((4, 6, 6, 1))
    video = np.full(pixels.stored, 7.0)
    frames = FirstFrames(pixels.shape, count=2).for_codec(pixels)
    whole = frames.read([video])["given"]
    video[2:] = np.nan
    assert torch.equal(frames.read([video])["given"], whole)


def test_a_label_beside_it() -> None:
    frames = FirstFrames(VIDEO, count=2, beside=Labels(("calm", "storm"))).for_codec(VIDEOS)
    datum = data_of(VIDEOS)[0]
    condition = frames.read([("storm", datum), ("calm", None), None])
    assert condition["label"].tolist() == [1, 0, 2]
    assert condition["given"].flatten(1).any(dim=1).tolist() == [True, False, False]
    assert frames.in_turn(3) == [(0, None), (1, None), (0, None)]
    assert frames.called(("storm", datum)) == "storm, first_frames"
    assert list(frames.beside_data) == ["label"]
    with pytest.raises(ValueError, match=r"must be asked for as \(labels, a datum\)"):
        frames.read(["storm"])


def test_maps_are_flipped_with_the_data() -> None:
    rows = Arrays({"data": data_of(VIDEOS, 20)})
    budget = Budget(images_seen=64, batch_size=16, learning_rate=1e-3, label_dropout=0.0, horizontal_flips=0.5)
    batch = Batches(Examples(rows, VIDEOS, FirstFrames(VIDEO, count=2)), budget)[0]
    torch.testing.assert_close(batch.given["given"][:, :2, :2], batch.data[:, :, :2])
    plain = Batches(Examples(rows, VIDEOS, Unconditional()), budget)[0]
    assert torch.equal(batch.data, plain.data)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: FirstFrames(VIDEO, count=4), "of 4 slices there must be one left to predict"),
        (lambda: LowResolution((1, 8, 6), factor=4), "factor = 4: must divide 8 and 6"),
        (lambda: Observed((5,)), "data without an axis"),
        (lambda: Observed(FIELD, beside=Observed(FIELD)), "under that part once"),
        (lambda: Observed(FIELD).read([np.zeros(FIELD)]), "reads data by a codec"),
        (
            lambda: Observed(FIELD).for_codec(FIELDS).read([np.zeros((1, 4, 4))]),
            r"must be \(1, 8, 8\), as the data are",
        ),
        (
            lambda: Observed(FIELD).for_codec(Pixels((8, 8, 1))).read([np.full((8, 8, 1), 0.5)]),
            "must be whole numbers from 0 to 255, as the data are stored, not 0.5",
        ),
        (
            lambda: Observed(FIELD).for_codec(Pixels((8, 8, 1))).read([np.full((8, 8, 1), 256)]),
            "must be whole numbers from 0 to 255, as the data are stored, not 256",
        ),
        (
            lambda: LowResolution(FIELD).for_codec(FIELDS).read([np.full(FIELD, np.nan)]),
            "must have numbers wherever low_resolution looks, and some are NaN",
        ),
        (
            lambda: FirstFrames(VIDEO).for_codec(VIDEOS).read([np.full(VIDEO, np.nan)]),
            "must have numbers wherever first_frames looks",
        ),
        (lambda: Observed(FIELD).for_codec(FIELDS).read([np.full(FIELD, "1")]), "must be an array of numbers"),
        (lambda: Observed(FIELD).for_codec(FIELDS).called("3"), "must be an array of numbers, not '3'"),
        (
            lambda: under(Examples(Arrays({"data": data_of(FIELDS)}), FIELDS, Observed(FIELD)), 0, 2, seed=0),
            "pairs are not drawn under what is given of the data themselves: given",
        ),
    ],
)
def test_what_cannot_be(made: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made()


# A network learns to use it. The fields are waves of any phase: a part of one says all.


def waves(count: int, seed: int) -> np.ndarray:
    phases = np.random.default_rng(seed).uniform(0, math.tau, (count, 1, 1, 1))
    return (3 + 2 * np.sin(np.arange(8)[:, None] * math.tau / 8 + phases) * np.ones(8)).astype(np.float32)


TELLING = {"low resolution": LowResolution(FIELD, factor=2), "observed": Observed(FIELD, share=0.3)}


@pytest.mark.parametrize("given", TELLING.values(), ids=TELLING)
def test_a_network_learns_to_use_what_is_given(given: Given, tmp_path: Path) -> None:
    """Most of all where noise hides everything else, at the beginning of the path."""
    rows = Arrays({"data": waves(64, 0)})
    early: Choice = {"name": "logit_normal", "mean": -1.5}
    objective = Regression.named("cond_ot", "independent", early, "velocity", "flat")
    budget = Budget(images_seen=16 * 100, batch_size=16, learning_rate=5e-3, ema_decay=0.9)
    losses = {}
    for conditioner in (given, Unconditional()):
        examples = Examples(rows, FIELDS, conditioner)
        torch.manual_seed(0)
        network: Choice = {"name": "unet", "width": 8, "multipliers": [1], "blocks": 1, "patch_size": 2}
        generator = untrained(objective, examples, network)
        seen: list[float] = []
        fit(generator, objective, examples, budget, lambda step, loss, seen=seen: seen.append(loss))  # type: ignore[misc]
        losses[conditioner.name] = fmean(seen[-30:])
        generator.save(tmp_path / conditioner.name)
    assert losses[given.name] < 0.8 * losses["none"], losses

    loaded, truth = Generator.load(tmp_path / given.name), waves(20, 1)
    missing = np.random.default_rng(0).random((20, *FIELD)) > 0.3
    shown = truth if given.name == "low_resolution" else np.where(missing, np.nan, truth)
    told, guided, untold = (
        float(np.abs(loaded.sample(20, seed=0, labels=asked, guidance=scale) - truth).mean())
        for asked, scale in ((list(shown), 1.0), (list(shown), 1.5), ([None] * 20, 1.0))
    )
    assert max(told, guided) < 0.7 * untold, (told, guided, untold)
