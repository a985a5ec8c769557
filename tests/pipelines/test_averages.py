"""Averages at several lengths, from train to evaluate, and one as a generator's folder."""

import shutil
from pathlib import Path

import pytest

from fm.averaging import Profile, kept_of
from fm.combining import combined
from fm.errors import UserError
from fm.generator import Generator
from pipelines import averages
from pipelines.project import ROOT, SNAPSHOTS
from pipelines.schemas.evaluation import EvaluationRow
from tests.fm.conftest import tiny_generator
from tests.pipelines.report.made_up import row

SEEN = range(80, 1281, 80)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose training of diffusion has kept two averages, each sixteen times."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    for number, (length, seen) in enumerate((length, seen) for length in ("0.05", "0.1") for seen in SEEN):
        tiny_generator(seed=number).save(Path("made", length, str(seen)))
    (SNAPSHOTS / "diffusion").mkdir(parents=True)
    averages.keep("diffusion", Path("made"))
    return tmp_path


def test_from_train_to_evaluate(kept: Path) -> None:
    there = averages.there("diffusion")
    assert set(there) == {Profile(seen, length) for seen in SEEN for length in (0.05, 0.1)}
    made = averages.of_length("diffusion", 0.07).network.state_dict()
    expected = combined(there, Profile(1280, 0.07)).network.state_dict()
    assert all(value.equal(expected[name]) for name, value in made.items())


def test_a_method_is_read_at_its_best_length(kept: Path) -> None:
    """Each set at the length that the others choose, so that luck is not counted."""
    finished = row("ddpm", 10, 10, 5.0)
    of_sets = {0.03: [9.0, 9.0, 9.0], 0.05: [4.0, 3.0, 5.0], 0.075: [3.5, 5.0, 6.0]}

    def measure(length: float) -> EvaluationRow:
        sets = of_sets.get(length, [8.0, 8.0, 8.0])
        return finished.model_copy(update={"distance": sum(sets) / 3, "distance_sets": sets})

    found = averages.read("diffusion", finished, measure)
    assert found is not None
    assert [one.length for one in found.tried] == list(averages.TRIED)
    assert (found.best, found.untuned, found.sampler) == (0.05, 5.0, finished.sampler)
    assert found.distance_sets == [4.0, 3.0, 5.0]
    assert found.distance == 4.0
    assert found.distance_low < 4 < found.distance_high


def test_without_averages_nothing_is_read_and_none_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    averages.keep("diffusion", Path("made"))
    assert averages.read("diffusion", row("ddpm", 10, 10, 5.0), lambda _: pytest.fail("nothing to measure")) is None
    with pytest.raises(UserError, match=r"^diffusion: is not trained yet: a training with train\.average_lengths"):
        averages.of_length("diffusion", 0.1)
    (SNAPSHOTS / "diffusion").mkdir(parents=True)
    with pytest.raises(UserError, match=r"^diffusion: no averages are kept: a training with train\.average_lengths"):
        averages.of_length("diffusion", 0.1)


def test_a_method_that_is_not_there_is_told(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["averages", "nope", "0.1", "--out", "made-of-it"])
    with pytest.raises(UserError, match="has no method 'nope': there are flow_matching, diffusion"):
        averages.main()


def test_a_length_as_a_generators_folder(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["averages", "diffusion", "0.1", "--out", "made-of-it"])
    averages.main()
    found = Generator.load("made-of-it").network.state_dict()
    last = Generator.load(averages.there("diffusion")[Profile(1280, 0.1)]).network.state_dict()
    assert all(value.allclose(last[name], atol=1e-5) for name, value in found.items())
    monkeypatch.setattr("sys.argv", ["averages", "diffusion", "0.5", "--out", "made-of-it"])
    with pytest.raises(SystemExit):
        averages.main()
    assert "the length must be from 0.01 to 0.28, not 0.5" in capsys.readouterr().err


def test_a_length_that_those_kept_cannot_give_is_neither_read_nor_made(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["averages", "diffusion", "0.28", "--out", "made-of-it"])
    with pytest.raises(UserError, match=r"length 0\.28 cannot be had: those kept \(0\.05, 0\.1\) .* than 21% of its"):
        averages.main()
    assert not Path("made-of-it").exists()
    assert averages.lengths_of(kept_of([0.02, 0.03])) == (0.02, 0.03)
    assert averages.lengths_of(kept_of([0.06, 0.12])) == (0.05, 0.06, 0.075, 0.1, 0.12, 0.15, 0.2)


def test_a_folder_that_is_there_stays_as_it_is(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models").mkdir()
    Path("models", "weights").write_text("precious")
    monkeypatch.setattr("sys.argv", ["averages", "diffusion", "0.1", "--out", "models"])
    with pytest.raises(UserError, match="models is there already: name a folder that is not"):
        averages.main()
    assert [file.read_text() for file in Path("models").iterdir()] == ["precious"]
    monkeypatch.setattr("sys.argv", ["averages", "diffusion", "0.1", "--out", "models/weights/x"])
    with pytest.raises(UserError, match="can't write models/weights/x: "):
        averages.main()
