import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fm import noise
from fm.noise import Purpose


def samples(seed: int, positions: range, shape: tuple[int, ...]) -> torch.Tensor:
    return noise.normal(noise.streams(seed, positions, Purpose.SAMPLE), shape)


@given(
    seed=st.integers(0, 2**63 - 1),
    index=st.integers(0, 2**40),
    count=st.integers(1, 20),
    purpose=st.sampled_from(Purpose),
)
@settings(deadline=None, max_examples=30)
def test_a_samples_noise_does_not_depend_on_its_neighbours(seed: int, index: int, count: int, purpose: Purpose) -> None:
    together = noise.normal(noise.streams(seed, range(index, index + count), purpose), (1, 3, 3))
    alone = noise.normal([noise.stream(seed, index + count - 1, purpose)], (1, 3, 3))
    assert torch.equal(together[-1:], alone)


def test_streams_differ_and_are_standard_normal() -> None:
    values = samples(0, range(500), (100,))
    assert abs(float(values.mean())) < 0.02
    assert abs(float(values.std()) - 1) < 0.02
    assert abs(float(torch.corrcoef(values[:2])[0, 1])) < 0.4
    assert not torch.equal(values, samples(1, range(500), (100,)))


@pytest.mark.parametrize(("one", "other"), itertools.combinations(Purpose, 2))
def test_two_purposes_share_no_number(one: Purpose, other: Purpose) -> None:
    """Not at any lag either: 200 numbers of each, of which none is in the other."""
    a, b = (noise.stream(0, 0, purpose).bit_generator.random_raw(200) for purpose in (one, other))
    assert not set(a.tolist()) & set(b.tolist())


def test_a_seed_means_the_images_that_it_meant_before_there_were_purposes() -> None:
    """A stream of the seed and the index alone: what was drawn from registered models can be drawn again."""
    before = np.random.Generator(np.random.Philox(key=np.array([7, 3], dtype=np.uint64)))
    expected = before.standard_normal((2, 16), dtype=np.float32)
    streams = noise.streams(7, [3], Purpose.SAMPLE)
    for row in expected:  # the start, then what a sampler adds
        assert torch.equal(noise.normal(streams, (16,))[0], torch.from_numpy(row))


def test_a_stream_goes_on() -> None:
    streams = noise.streams(0, range(2), Purpose.SAMPLE)
    assert not torch.equal(noise.normal(streams, (4,)), noise.normal(streams, (4,)))


@given(part=st.floats(0, 1), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_slerp_keeps_to_the_sphere_and_to_the_angle(part: float, seed: int) -> None:
    a, b = (samples(seed, range(first, first + 3), (2, 8, 8)).double() for first in (0, 3))
    a, b = (x / x.flatten(1).norm(dim=1).reshape(3, 1, 1, 1) for x in (a, b))
    between = noise.slerp(a, b, part)
    torch.testing.assert_close(between.flatten(1).norm(dim=1), torch.ones(3, dtype=torch.float64))

    def angle(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x * y).flatten(1).sum(1).clamp(-1, 1).acos()

    torch.testing.assert_close(angle(a, between), part * angle(a, b), atol=1e-6, rtol=0)


def test_slerp_of_a_noise_with_itself() -> None:
    a = samples(0, range(2), (1, 4, 4))
    torch.testing.assert_close(noise.slerp(a, a, 0.3), a)


@pytest.mark.parametrize("purpose", [Purpose.NOISE, Purpose.TIME, Purpose.DROPOUT, Purpose.OBJECTIVE])
def test_draws_are_functions_of_seed_position_and_purpose(purpose: Purpose) -> None:
    draws = noise.Draws(5, range(10, 14))
    assert torch.equal(draws.normal((2, 3), purpose), noise.normal(noise.streams(5, range(10, 14), purpose), (2, 3)))
    assert torch.equal(draws.normal((2, 3), purpose), draws.normal((2, 3), purpose))
    alone = noise.Draws(5, [13])
    assert torch.equal(draws.uniform(3, purpose)[3:], alone.uniform(3, purpose))
    assert not torch.equal(draws.uniform(3, purpose)[3:], noise.Draws(6, [13]).uniform(3, purpose))
    other = next(each for each in Purpose if each != purpose)
    assert not torch.equal(draws.uniform(3, purpose), draws.uniform(3, other))


def test_what_is_drawn_ahead_are_the_same_numbers() -> None:
    draws = noise.Draws(5, [7, 2])
    ahead = draws.ahead({Purpose.NOISE: (3, 4)}, {Purpose.TIME: 1}).to("cpu")
    assert torch.equal(ahead.normal((3, 4), Purpose.NOISE), draws.normal((3, 4), Purpose.NOISE))
    assert torch.equal(ahead.normal((5,), Purpose.NOISE), draws.normal((5,), Purpose.NOISE))
    assert torch.equal(ahead.uniform(1, Purpose.TIME), draws.uniform(1, Purpose.TIME))
    assert torch.equal(ahead.stratified(Purpose.TIME), draws.stratified(Purpose.TIME))
    assert ahead.to("meta").normal((3, 4), Purpose.NOISE).is_meta


def test_strata_are_those_of_the_whole_batch() -> None:
    whole = noise.Draws(0, range(32, 48)).stratified(Purpose.TIME)
    assert torch.equal((whole * 16).floor(), torch.arange(16.0))
    part = noise.Draws(0, range(33, 48, 2), first=32, of=16).stratified(Purpose.TIME)
    assert torch.equal(part, whole[1::2])
