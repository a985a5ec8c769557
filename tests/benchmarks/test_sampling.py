"""Benchmarks of sampling and evaluation, tried at small sizes: that they run and say what they measured."""

import pytest
import torch

from benchmarks import latents, memory, resizing, sampling, sharing


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


def test_sampling_many_images_takes_no_more_memory_than_sampling_few() -> None:
    """Of an image its 784 bytes are kept, twice while they are put together: 4.4 MB here; as floats it was 18 MB."""
    few, many = (memory.peak("sampling", count) for count in (400, 3200))
    assert many < 2 * 2**30
    assert many - few < 12e6
