import time

import pytest
import torch

from fm.config import SamplerConfig
from pipelines.probes import timing
from tests.pipelines.report.made_up import row


def test_every_sampler_of_every_method_once_a_round(generators: dict) -> None:
    samplers = {
        "flow_matching": [SamplerConfig(solver="euler", steps=1), SamplerConfig(solver="midpoint", steps=2)],
        "diffusion": [SamplerConfig(solver="ddpm", steps=2)],
    }
    found = timing.timings(generators, samplers, batch_size=4, seed=0, rounds=10)
    assert {m: [(one.solver, one.steps) for one in each] for m, each in found.items()} == {
        "flow_matching": [("euler", 1), ("midpoint", 2)],
        "diffusion": [("ddpm", 2)],
    }
    assert all(len(one.seconds) == 2 and min(one.seconds) > 0 for each in found.values() for one in each)


def test_seconds_are_of_the_whole_batch(generators: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands at the number of network calls so far: a batch of two steps takes two."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    generators["diffusion"].network.register_forward_hook(count)
    monkeypatch.setattr(time, "perf_counter", lambda: calls)
    two = SamplerConfig(solver="ddim", steps=2)
    one = {"diffusion": generators["diffusion"]}
    found = timing.timings(one, {"diffusion": [two]}, batch_size=4, seed=0, rounds=10)
    assert found["diffusion"][0].seconds == [2 / 4] * 2
    alone = timing.one_at_a_time(one, two, seed=0, rounds=10)
    assert alone == {"diffusion": [2.0] * 10}


def test_one_image_alone_by_each_sampler_compiled_too(generators: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands at the number of network calls so far. Compiling for real takes minutes: here the network is
    left as it is, and who asks for it is counted."""
    calls, compiled = [0], []
    for generator in generators.values():
        generator.network.register_forward_hook(lambda *_: calls.append(calls.pop() + 1))
    monkeypatch.setattr(time, "perf_counter", lambda: calls[0])
    monkeypatch.setattr(torch, "compile", lambda network, **_: compiled.append(network) or network)
    rows = {
        "flow_matching": [row("euler", 1, 1, 9.0), row("midpoint", 2, 4, 5.0)],
        "diffusion": [row("ddim", 3, 3, 8.0)],
    }
    found = timing.latencies(generators, rows, compiled=True, seed=0, rounds=4)
    assert [(one.solver, one.nfe, one.compiled) for one in found["flow_matching"]] == [
        ("euler", 1, False), ("midpoint", 4, False), ("euler", 1, True), ("midpoint", 4, True)
    ]  # fmt: skip
    assert all(one.seconds == [one.nfe] * 4 for each in found.values() for one in each)
    assert compiled == [generator.network for generator in generators.values()]
    found = timing.latencies(generators, rows, compiled=False, seed=0, rounds=4)
    assert [one.compiled for one in found["diffusion"]] == [False]
