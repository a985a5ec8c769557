import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipelines import finished, stage
from pipelines.finished import is_waiting, keep, take
from pipelines.stage import Stage

STAGE = Stage("train@a", {"train": {"seed": 0}}, {"data/prepared": "abc.dir"})
OUTPUTS = [Path("artifacts/models/a"), Path("metrics/train/a.json")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which the stage has just written its outputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finished, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(finished, "recorded", lambda name: stage.recorded(name, tmp_path))
    for output in OUTPUTS:
        output.parent.mkdir(parents=True)
    OUTPUTS[0].mkdir()
    (OUTPUTS[0] / "model.safetensors").write_bytes(bytes(range(256)))
    OUTPUTS[1].write_text("{}")
    keep(STAGE, OUTPUTS)
    return tmp_path


def record(made: Stage) -> None:
    """As DVC does, which removes outputs before it runs a stage and records them after."""
    entry = {"params": {"params.yaml": made.params}}
    deps = [{"path": path, "md5": md5} for path, md5 in made.dependencies.items()]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {made.name: {**entry, "deps": deps}}}))


def test_what_dvc_did_not_live_to_record_is_taken(capfd: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("artifacts")
    shutil.rmtree("metrics")
    assert is_waiting(STAGE)
    take(STAGE, OUTPUTS)
    assert (OUTPUTS[0] / "model.safetensors").read_bytes() == bytes(range(256))
    assert OUTPUTS[1].read_text() == "{}"
    assert "train@a: taken as it was finished before" in capfd.readouterr().out


def test_what_dvc_has_recorded_is_run_again_when_dvc_runs_it() -> None:
    record(STAGE)
    assert not is_waiting(STAGE)
    record(Stage(STAGE.name, {"train": {"seed": 1}}, STAGE.dependencies))
    assert is_waiting(STAGE)


def test_another_stage_s_is_not_taken_and_the_last_one_is_kept_alone() -> None:
    other = Stage(STAGE.name, {"train": {"seed": 1}}, STAGE.dependencies)
    assert not is_waiting(other)
    keep(other, OUTPUTS)
    assert is_waiting(other)
    assert not is_waiting(STAGE)


def flip(kept: Path) -> None:
    weights = kept / OUTPUTS[0] / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda kept: (kept / OUTPUTS[1]).unlink(),
        lambda kept: (kept / OUTPUTS[0] / "another").write_text("x"),
        lambda kept: (kept / finished.INDEX).write_text('{"key'),
        lambda kept: (kept / finished.INDEX).write_bytes(bytes(range(256))),
        lambda kept: (kept / finished.INDEX).write_text("[]"),
        lambda kept: (kept / finished.INDEX).write_text("{}"),
        lambda kept: (kept / finished.INDEX).write_text(json.dumps({"key": STAGE.key, "sha256": {}})),
        shutil.rmtree,
    ],
    ids=[
        "a bit",
        "a file gone",
        "a file more",
        "an index cut short",
        "garbled",
        "another's",
        "empty",
        "no checksums",
        "nothing",
    ],
)
def test_what_is_damaged_is_not_taken(here: Path, damage: Callable[[Path], object]) -> None:
    damage(here / "cache/finished/train@a")
    assert not is_waiting(STAGE)
