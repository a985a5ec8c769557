from pathlib import Path

import pytest

from fm.config import SamplerConfig
from fm.errors import UserError
from fm.training.snapshots import snapshot_steps
from pipelines import averages, snapshots
from pipelines.project import SNAPSHOTS
from pipelines.schemas.evaluation import EvaluationRow
from tests.fm.conftest import tiny_generator
from tests.pipelines.report.made_up import row


@pytest.mark.parametrize(
    ("steps", "count", "expected"),
    [(100, 0, []), (100, 3, [25, 50, 75]), (1562, 1, [781]), (3, 7, [1, 2]), (1, 4, [])],
)
def test_equal_parts_of_a_training(steps: int, count: int, expected: list[int]) -> None:
    assert snapshot_steps(steps, count) == expected


def test_from_train_to_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seen in (640, 6400):
        tiny_generator().save(Path("made", str(seen)))
    snapshots.keep("diffusion", Path("made"), images_seen=9600)
    finished = row("ddpm", 10, 10, 5.0)
    away = SamplerConfig(solver="ddpm", steps=10, guidance={"by": "snapshot", "scale": 2})
    better = row("ddpm", 10, 20, 4.0).model_copy(update={"sampler": away})  # a younger network would be led to it
    asked: list[tuple[Path, SamplerConfig]] = []

    def measure(folder: Path, sampler: SamplerConfig) -> EvaluationRow:
        assert (folder / "model.safetensors").exists()
        asked.append((folder, sampler))
        return row("ddpm", 10, 10, 50.0)

    rows = [row("ddim", 10, 10, 6.0), finished, better]
    assert snapshots.of_itself(rows) == 1
    found = snapshots.along("diffusion", finished, measure)
    assert asked == [(SNAPSHOTS / "diffusion" / seen, finished.sampler) for seen in ("640", "6400")]
    assert [(one.images_seen, one.distance) for one in found] == [(640, 50.0), (6400, 50.0), (9600, 5.0)]


def test_a_codec_that_they_share_comes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("snapshots/640", "snapshots/codec", "averages/0.05/640", "averages/0.05/codec"):
        Path(place).mkdir(parents=True)
        (Path(place) / "weights").touch()
    snapshots.keep("diffusion", Path("snapshots"), images_seen=1280)
    averages.keep("diffusion", Path("averages"))
    kept = SNAPSHOTS / "diffusion"
    assert (snapshots.folders("diffusion"), (kept / "codec" / "weights").exists()) == ([kept / "640"], True)
    assert list(averages.there("diffusion").values()) == [kept / "averages" / "0.05" / "640"]
    assert (kept / "averages" / "0.05" / "codec" / "weights").exists()


def test_networks_that_samplers_lead_away_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seen in (640, 6400):
        tiny_generator(seed=seen).save(Path("made", str(seen)))
    snapshots.keep("diffusion", Path("made"), images_seen=9600)
    plain, first, second, third = (
        SamplerConfig(solver="ddim", steps=2, guidance=guidance)
        for guidance in (2.0, *({"by": "snapshot", "scale": 2, "number": number} for number in (1, 2, 3)))
    )
    assert snapshots.weaker("diffusion", [plain]) == {}
    found = snapshots.weaker("diffusion", [second, plain, first, second])
    assert found == {1: SNAPSHOTS / "diffusion" / "640", 2: SNAPSHOTS / "diffusion" / "6400"}
    with pytest.raises(UserError, match=r"methods\.diffusion\.samplers: guidance away from snapshot 3: .* kept 2"):
        snapshots.weaker("diffusion", [third])


def test_without_snapshots_there_is_no_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snapshots.keep("diffusion", Path("made"), images_seen=9600)
    assert snapshots.along("diffusion", row("ddpm", 10, 10, 5.0), lambda *_: pytest.fail("nothing to measure")) == []


def test_what_was_seen_before_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_generator().save(Path("made", "640"))
    snapshots.keep("more", Path("made"), images_seen=9600, before=1000)
    found = snapshots.along("more", row("euler", 10, 10, 5.0), lambda *_: row("euler", 10, 10, 50.0))
    assert [one.images_seen for one in found] == [1640, 10600]
