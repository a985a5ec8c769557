import time

import pytest

from fm.config import SamplerConfig
from pipelines.probes import timing


def test_every_sampler_of_every_method_once_a_round(generators: dict) -> None:
    samplers = {
        "flow_matching": [SamplerConfig(solver="euler", steps=1), SamplerConfig(solver="midpoint", steps=2)],
        "diffusion": [SamplerConfig(solver="ddpm", steps=2)],
    }
    found = timing.timings(generators, samplers, batch_size=4, seed=0)
    assert {m: [(one.solver, one.steps) for one in each] for m, each in found.items()} == {
        "flow_matching": [("euler", 1), ("midpoint", 2)],
        "diffusion": [("ddpm", 2)],
    }
    assert all(len(one.seconds) == timing.ROUNDS and min(one.seconds) > 0 for each in found.values() for one in each)


def test_seconds_are_of_the_whole_batch(generators: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands at the number of network calls so far: a batch of two steps takes two."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    generators["diffusion"].network.register_forward_hook(count)
    monkeypatch.setattr(time, "perf_counter", lambda: calls)
    two = SamplerConfig(solver="ddim", steps=2)
    found = timing.timings({"diffusion": generators["diffusion"]}, {"diffusion": [two]}, batch_size=4, seed=0)
    assert found["diffusion"][0].seconds == [2 / 4] * timing.ROUNDS
    alone = timing.one_at_a_time({"diffusion": generators["diffusion"]}, two, seed=0)
    assert alone == {"diffusion": [2.0] * timing.ALONE}
