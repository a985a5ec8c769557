from pathlib import Path

import pytest

from pipelines.study import collect
from pipelines.study.collect import Record
from pipelines.study.plan import Trial

TRIAL = Trial("main", 0, {}, {"methods": {"flow_matching": {}}}, compares=True)


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    for method in ("flow_matching", "edm"):
        write(root / f"metrics/train/{method}.json", method)
        write(root / f"artifacts/curves/{method}.csv")
        write(root / f"artifacts/models/{method}/config.json")
    write(root / "artifacts/models/.gitignore")
    write(root / "metrics/features.json")
    write(root / "params.yaml", "settings")
    return root


def record(key: str) -> Record:
    return Record(name=TRIAL.name, key=key, commit="c0ffee", seconds=1.5)


def test_what_other_methods_left_is_removed_and_nothing_else(workspace: Path) -> None:
    collect.clear(workspace, ["flow_matching"])
    left = {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_file()}
    assert left == {
        "params.yaml", "metrics/features.json", "metrics/train/flow_matching.json",
        "artifacts/curves/flow_matching.csv",
        "artifacts/models/flow_matching/config.json", "artifacts/models/.gitignore",
    }  # fmt: skip


def test_a_gathered_trial_is_done_for_its_key_alone(workspace: Path, tmp_path: Path) -> None:
    place = collect.folder(tmp_path, "quick", TRIAL)
    assert place == tmp_path / "reports/studies/quick/trials/main/seed-0"
    assert not collect.is_done(place, "one")
    collect.gather(workspace, place, record("one"))
    assert collect.is_done(place, "one")
    assert not collect.is_done(place, "two")
    assert (place / "metrics/train/flow_matching.json").read_text() == "flow_matching"
    assert (place / "params.yaml").read_text() == "settings"
    assert [one.seconds for one in collect.records(tmp_path, "quick", [TRIAL])] == [1.5]


def test_gathered_again_nothing_of_the_last_time_stays(workspace: Path, tmp_path: Path) -> None:
    place = collect.folder(tmp_path, "quick", TRIAL)
    collect.gather(workspace, place, record("one"))
    (workspace / "metrics/train/edm.json").unlink()
    collect.gather(workspace, place, record("two"))
    assert not (place / "metrics/train/edm.json").exists()


def test_a_damaged_record_is_no_done_trial(tmp_path: Path) -> None:
    write(tmp_path / "trial.json", "{")
    assert not collect.is_done(tmp_path, "one")


def test_keys_tell_settings_and_code_apart() -> None:
    keys = {collect.key(settings, code) for settings in ("a", "b") for code in ("1", "2")}
    assert len(keys) == 4
