import itertools
from statistics import NormalDist

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from fm import noise
from fm.noise import Draws, Purpose

VECTORS = [
    line.split()
    for line in """\
philox4x32 7 00000000 00000000 00000000 00000000 00000000 00000000   5f6fb709 0d893f64 4f121f81 4f730a48
philox4x32 7 ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff   5207ddc2 45165e59 4d8ee751 8c52f662
philox4x32 7 243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0   4dfccaba 190a87f0 c47362ba b6b5242a
philox4x32 10 00000000 00000000 00000000 00000000 00000000 00000000   6627e8d5 e169c58d bc57ac4c 9b00dbd8
philox4x32 10 ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff   408f276d 41c83b0e a20bc7c6 6d5451fd
philox4x32 10 243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0   d16cfe09 94fdcceb 5001e420 24126ea1
""".splitlines()
]
"""Random123's kat_vectors (github.com/DEShawResearch/random123): rounds, counter, key, what comes of them."""


@pytest.mark.parametrize(("_", "rounds", "vector"), [(line[0], line[1], line[2:]) for line in VECTORS])
def test_philox_gives_the_published_numbers(_: str, rounds: str, vector: list[str]) -> None:
    words = [int(word, 16) for word in vector]
    c0, c1, c2, c3 = torch.tensor(words[:4])
    found = noise.philox((c0, c1, c2, c3), (words[4], words[5]), int(rounds))
    assert [int(word) for word in found] == words[6:]


@given(
    keys=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**63 - 1)), min_size=1, max_size=9),
    count=st.integers(1, 40),
)
@settings(deadline=None, max_examples=60)
def test_pytorchs_own_philox_gives_the_same_numbers(keys: list[tuple[int, int]], count: int) -> None:
    key = torch.tensor(keys)
    assert torch.equal(noise.fast_uniform(key, count), noise.plain_uniform(key, count))
    assert noise.is_fast("cpu")


def test_without_it_draws_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = samples(3, range(5), (3, 30, 30)), Draws(3, range(5)).uniform(9, Purpose.TIME)
    monkeypatch.setattr(noise, "is_fast", lambda device: False)
    assert torch.equal(samples(3, range(5), (3, 30, 30)), before[0])
    assert torch.equal(Draws(3, range(5)).uniform(9, Purpose.TIME), before[1])


def samples(seed: int, positions: range, shape: tuple[int, ...]) -> torch.Tensor:
    return Draws(seed, positions).normal(shape, Purpose.SAMPLE)


@given(
    seed=st.integers(0, 2**63 - 1),
    index=st.integers(0, 2**63 - 21),
    count=st.integers(1, 20),
    purpose=st.sampled_from(Purpose),
    shape=st.sampled_from([(), (1,), (1, 3, 3), (1, 8, 8), (3, 41, 41), (3, 128, 128)]),
    number=st.integers(0, 3),
)
@settings(deadline=None, max_examples=60)
def test_a_datums_numbers_do_not_depend_on_its_neighbours(
    seed: int, index: int, count: int, purpose: Purpose, shape: tuple[int, ...], number: int
) -> None:
    together, alone = Draws(seed, range(index, index + count)), Draws(seed, [index + count - 1])
    assert torch.equal(together.normal(shape, purpose, number)[-1:], alone.normal(shape, purpose, number))
    assert torch.equal(together.uniform(5, purpose, number)[-1:], alone.uniform(5, purpose, number))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 256, 256)])
def test_numbers_do_not_depend_on_how_many_are_computed_at_a_time(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = samples(3, range(5), shape)
    monkeypatch.setitem(noise.AT_A_TIME, "cpu", 4096)
    assert torch.equal(samples(3, range(5), shape), before)


def test_normal_numbers_are_normal() -> None:
    """By Kolmogorov and Smirnov's test, in bulk and in the tails; seeds, positions and places are uncorrelated."""
    values = samples(0, range(1000), (1000,)).flatten()
    assert float(kstest(values.double().numpy(), "norm").pvalue) > 0.001
    for far in (3, 4):
        expected = len(values) * 2 * NormalDist().cdf(-far)
        assert float((values.abs() > far).sum()) == pytest.approx(expected, abs=4 * expected**0.5)
    table = torch.stack([samples(seed, range(100), (100,)).flatten() for seed in range(3)])
    neighbours = torch.stack([table[0][:-1], table[0][1:], table[0].reshape(100, 100).T.flatten()[:-1]])
    for several in (table, neighbours):
        assert float((torch.corrcoef(several) - torch.eye(3)).abs().max()) < 0.04


def test_uniform_numbers_are_uniform() -> None:
    values = Draws(0, range(1000)).uniform(1000, Purpose.DEQUANTISATION)
    assert float(kstest(values.flatten().double().numpy(), "uniform").pvalue) > 0.001
    assert float(values.min()) >= 0
    assert float(values.max()) < 1


@pytest.mark.parametrize(("one", "other"), itertools.combinations(Purpose, 2))
def test_two_purposes_share_no_number(one: Purpose, other: Purpose) -> None:
    """Not at any lag either: 200 numbers of each, of which no two neighbours are in the other."""
    a, b = (Draws(0, [0]).uniform(200, purpose)[0].tolist() for purpose in (one, other))
    assert not set(itertools.pairwise(a)) & set(itertools.pairwise(b))


def test_what_is_drawn_successively_goes_on() -> None:
    """And is a function of its number: a sampler's second draw is the same, whatever the first was for."""
    draws = Draws(7, range(3))
    fresh = draws.successive((16,), Purpose.SAMPLE)
    for number in range(3):
        assert torch.equal(fresh(), draws.normal((16,), Purpose.SAMPLE, number))
    assert not torch.equal(draws.normal((16,), Purpose.SAMPLE, 0), draws.normal((16,), Purpose.SAMPLE, 1))


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
    draws = Draws(5, range(10, 14))
    assert torch.equal(draws.normal((2, 3), purpose), draws.normal((2, 3), purpose))
    alone = Draws(5, [13])
    assert torch.equal(draws.uniform(3, purpose)[3:], alone.uniform(3, purpose))
    assert not torch.equal(draws.uniform(3, purpose)[3:], Draws(6, [13]).uniform(3, purpose))
    other = next(each for each in Purpose if each != purpose)
    assert not torch.equal(draws.uniform(3, purpose), draws.uniform(3, other))


def test_numbers_whose_keys_were_made_ahead_are_the_same() -> None:
    draws = Draws(5, [7, 2])
    ahead = draws.ahead(Purpose.NOISE, Purpose.TIME).to("cpu")
    assert torch.equal(ahead.normal((3, 4), Purpose.NOISE), draws.normal((3, 4), Purpose.NOISE))
    assert torch.equal(ahead.normal((5,), Purpose.NOISE, 1), draws.normal((5,), Purpose.NOISE, 1))
    assert torch.equal(ahead.normal((5,), Purpose.OBJECTIVE), draws.normal((5,), Purpose.OBJECTIVE))
    assert torch.equal(ahead.uniform(1, Purpose.TIME), draws.uniform(1, Purpose.TIME))
    assert torch.equal(ahead.uniform(2, Purpose.TIME), draws.uniform(2, Purpose.TIME))
    assert torch.equal(ahead.stratified(Purpose.TIME), draws.stratified(Purpose.TIME))


def test_numbers_are_drawn_where_they_are_wanted() -> None:
    there = Draws(5, range(2**62, 2**62 + 4)).ahead(Purpose.TIME).to("meta")
    for numbers in (
        there.normal((3, 4), Purpose.NOISE),
        there.uniform(1, Purpose.TIME),
        there.uniform(2, Purpose.TIME),
        there.stratified(Purpose.TIME),
    ):
        assert numbers.is_meta
        assert numbers.dtype == torch.float32


def test_part_of_the_draws_are_those_of_the_whole() -> None:
    whole = Draws(5, range(3, 19)).ahead(Purpose.TIME)
    part = whole.part(slice(4, 9))
    assert torch.equal(part.normal((5,), Purpose.NOISE), whole.normal((5,), Purpose.NOISE)[4:9])
    assert torch.equal(part.uniform(1, Purpose.TIME), whole.uniform(1, Purpose.TIME)[4:9])
    assert torch.equal(part.stratified(Purpose.TIME), whole.stratified(Purpose.TIME)[4:9])


def test_strata_are_those_of_the_whole_batch() -> None:
    whole = Draws(0, range(32, 48)).stratified(Purpose.TIME)
    assert torch.equal((whole * 16).floor(), torch.arange(16.0))
    part = Draws(0, range(33, 48, 2), first=32, of=16).stratified(Purpose.TIME)
    assert torch.equal(part, whole[1::2])
