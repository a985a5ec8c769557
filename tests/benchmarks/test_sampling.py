"""Benchmarks of sampling and evaluation, tried at small sizes: that they run and say what they measured."""

import math
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from benchmarks import latents, memory, resizing, sampling, sharing
from pipelines.probes.training_step import peak_bytes
from tests.fm.conftest import tiny_generator


def test_sampling_is_held_against_bare_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "CASES", sampling.CASES[:1])
    assert sampling.main("cpu", batches=(1,), seconds=0.1)["euler", 1] > 0


def test_latents_are_held_against_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latents, "IN_PIXELS", {"on patches": {"patch_size": 16}})
    taken = latents.main(torch.device("cpu"), side=64, seconds=0.1)
    assert taken.keys() == {"in latents", "on patches", "decoding alone"}
    assert taken["decoding alone"] < taken["in latents"]


def test_resizing_is_held_against_clean_fid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resizing, "BATCH_ON_CPU", 2)
    assert resizing.main(rounds=1).keys() == {28, 32, 64, 256}


def test_work_is_shared_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sharing, "PAUSE", 0.001)
    sharing.main(counts=(1,), jobs=1)
    assert f"pieces of each: {sharing.PIECES}" in capsys.readouterr().out


def test_a_process_that_samples_says_what_it_held() -> None:
    assert 2**26 < memory.peak("sampling", 10) < 2 * 2**30


def test_sampling_many_images_takes_no_more_memory_than_sampling_few() -> None:
    """Of an image its bytes are kept, twice while they are put together; floats would be four times as many. What a
    process held beside, the least of its libraries' caches included, differs by more from run to run."""
    generator, few, many = tiny_generator(), 400, 4400
    generator.sample(few, 0, steps=1)  # what is made once and kept
    kept = [held(partial(generator.sample, count, 0, steps=1)) for count in (few, many)]
    stored = math.prod(generator.codec.stored)
    assert stored <= (kept[1] - kept[0]) / (many - few) < 3 * stored


def held(job: Callable[[], Any]) -> int:
    """The most bytes that tensors held at once, and the most that arrays and Python's other objects did."""
    of_tensors = peak_bytes(lambda: job, torch.device("cpu"))
    tracemalloc.start()
    try:
        job()
        return of_tensors + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
