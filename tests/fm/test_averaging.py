"""Averages of any length, against the weights of each step in closed form."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from fm.averaging import (
    LEAST_RATIO,
    LONGEST,
    MOMENTS,
    NEAR,
    SHORTEST,
    Profile,
    distance,
    exponent_of,
    kept_of,
    overlaps,
    shares,
)
from fm.combining import combined
from fm.training.ema import PowerAverage
from tests.fm.conftest import tiny_generator

STEPS = 320
KEPT = [Profile(STEPS * part // MOMENTS, length) for part in range(1, MOMENTS + 1) for length in (0.05, 0.1)]


def weights(profile: Profile, steps: int = STEPS) -> NDArray[np.float64]:
    """Of each step in an average: the integral of the power function over it."""
    n, power = np.arange(1.0, steps + 1), exponent_of(profile.length) + 1
    return np.where(n <= profile.step, (n**power - (n - 1) ** power) / profile.step**power, 0)


@pytest.mark.parametrize("length", [0.01, 0.05, 0.1, 0.25])
def test_the_exponent_of_a_length_has_that_standard_deviation(length: float) -> None:
    """Karras et al. 2024, eq. 123."""
    e = exponent_of(length)
    assert math.sqrt((e + 1) / ((e + 2) ** 2 * (e + 3))) == pytest.approx(length, rel=1e-9)


@pytest.mark.parametrize("length", [0.05, 0.2])
def test_a_power_average_weighs_every_step_as_its_profile_does(length: float) -> None:
    network = nn.Linear(1, 1, bias=False).double()
    average = PowerAverage(network, length)
    values = np.random.default_rng(0).normal(size=STEPS)
    for value in values:
        nn.init.constant_(network.weight, value)
        average.update(network)
    expected = float(weights(Profile(STEPS, length)) @ values)
    assert float(average.network.weight) == pytest.approx(expected, rel=1e-9)


def test_overlaps_are_the_integrals_of_products() -> None:
    a, b = Profile(0.7, 0.05), Profile(1.0, 0.15)
    t = np.linspace(0, 1, 200_001)
    density = [
        np.where(t <= one.step, (exponent_of(one.length) + 1) / one.step * (t / one.step) ** exponent_of(one.length), 0)
        for one in (a, b)
    ]
    for rows, columns, product in (([a], [b], density[0] * density[1]), ([b], [b], density[1] ** 2)):
        assert overlaps(rows, columns)[0, 0] == pytest.approx(np.trapezoid(product, t), rel=1e-4)
    assert np.allclose(overlaps([a, b], [a, b]), overlaps([a, b], [a, b]).T)


@pytest.mark.parametrize(("length", "error"), [(0.05, 1e-6), (0.1, 1e-6), (0.04, 0.02), (0.07, 0.01), (0.15, 0.03)])
def test_an_average_that_was_not_kept_follows_from_those_that_were(length: float, error: float) -> None:
    """In its weights of the steps; at the lengths that were kept it is one of them."""
    wanted = Profile(STEPS, length)
    found = shares(KEPT, wanted) @ np.array([weights(one) for one in KEPT])
    expected = weights(wanted)
    assert float(np.linalg.norm(found - expected) / np.linalg.norm(expected)) < error
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("length", [0.03, 0.07, 0.15, 0.28])
def test_how_far_off_an_average_is_that_was_not_kept(length: float) -> None:
    """Against the weights of the steps, of a training of many."""
    steps = 4800
    kept = [Profile(steps * part // MOMENTS, one) for part in range(1, MOMENTS + 1) for one in (0.05, 0.1)]
    wanted = Profile(steps, length)
    expected = weights(wanted, steps)
    missed = shares(kept, wanted) @ np.array([weights(one, steps) for one in kept]) - expected
    off = float(np.linalg.norm(missed) / np.linalg.norm(expected))
    assert distance(kept_of([0.05, 0.1]), Profile(1, length)) == pytest.approx(off, rel=1e-2)


@pytest.mark.parametrize("shortest", [SHORTEST, 0.03, 0.1, LONGEST / LEAST_RATIO])
def test_lengths_that_may_be_kept_make_others_by_shares_that_float32_holds(shortest: float) -> None:
    pair = kept_of([shortest, LEAST_RATIO * shortest])
    near = [
        Profile(1, length)
        for length in np.geomspace(0.03, 0.2, 20).tolist()
        if distance(pair, Profile(1, length)) <= NEAR
    ]
    assert all(abs(shares(pair, one)).max() < 100 for one in near)
    together = kept_of([shortest, 1.0001 * shortest])  # and nearer ones are not
    assert abs(shares(together, Profile(1, 2 * shortest))).max() > 1000


def test_the_generator_of_an_average_has_the_mean_of_a_trainings_weights(tmp_path: Path) -> None:
    """A walk of a whole network's weights, averaged at the kept lengths along the way, and directly at another."""
    generator, random = tiny_generator(), torch.Generator().manual_seed(0)
    averages = {length: PowerAverage(generator.network, length) for length in (0.05, 0.1)}
    wanted, steps = Profile(64, 0.07), 64
    direct = {name: torch.zeros_like(value).double() for name, value in generator.network.state_dict().items()}
    there = {}
    for step, weight in enumerate(weights(wanted, steps), start=1):
        with torch.no_grad():
            for value in generator.network.parameters():
                value.add_(torch.randn(value.shape, generator=random), alpha=0.1)
        for name, value in generator.network.state_dict().items():
            direct[name] += weight * value.double()
        for length, average in averages.items():
            average.update(generator.network)
            if step % 4 == 0:
                folder = there[Profile(step, length)] = tmp_path / f"{length}-{step}"
                kept = tiny_generator()
                kept.network.load_state_dict(average.network.state_dict())
                kept.save(folder)
    found = combined(there, wanted).network.state_dict()
    spread = torch.cat([value.flatten() for value in direct.values()]).std()
    error = torch.cat([(found[name] - value).flatten() for name, value in direct.items()]).square().mean().sqrt()
    last = generator.network.state_dict()
    off = torch.cat([(last[name] - value).flatten() for name, value in direct.items()]).square().mean().sqrt()
    assert error < 0.02 * off < 0.02 * spread
