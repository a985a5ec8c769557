"""What the documentation says of the full study is what the code makes of its trials."""

import shutil
from pathlib import Path

import pytest

from fm.errors import UserError
from pipelines.project import ROOT
from pipelines.schemas.comparison import Claim, Comparison
from pipelines.study import rejudge

RESULTS = ROOT / "docs/results"
TOLD = ("README.md", "report.md", "report.html")


@pytest.fixture(scope="module")
def anew(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results' folder, judged again; beside it the project's README."""
    root = tmp_path_factory.mktemp("judged")
    shutil.copytree(RESULTS, root / "results")
    shutil.copy(ROOT / "README.md", root)
    rejudge.main(root / "results", [root / "README.md"])
    return root


REMEDY = "python -m pipelines.study.rejudge docs/results README.md"


def test_the_claims_are_those_of_the_trials(anew: Path) -> None:
    before, now = (Comparison.load(folder / "comparison.json") for folder in (RESULTS, anew / "results"))
    for old, new in zip(before.claims, now.claims, strict=True):
        assert (old.id, old.verdict, old.protocol, old.note) == (new.id, new.verdict, new.protocol, new.note), REMEDY
        assert figures(old) == pytest.approx(figures(new), rel=1e-6), REMEDY


def figures(claim: Claim) -> dict[str, float]:
    found = {"measured": claim.measured, "low": claim.low, "high": claim.high}
    return {name: value for name, value in found.items() if value is not None}


def test_every_text_has_them(anew: Path) -> None:
    for name in TOLD:
        assert (anew / "results" / name).read_text() == (RESULTS / name).read_text(), REMEDY
    assert (anew / "README.md").read_text() == (ROOT / "README.md").read_text(), REMEDY


def test_what_was_judged_otherwise_is_told_and_replaced(anew: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = anew / "results"
    comparison = Comparison.load(folder / "comparison.json")
    wrong = [claim.model_copy(update={"verdict": "partly", "low": 0.5}) for claim in comparison.claims]
    comparison.model_copy(update={"claims": wrong}).save(folder / "comparison.json")
    rejudge.main(folder, [])
    assert "memory: partly, 0.0% (50.0% to 0.0%) -> not reproduced, 0.0% (0.0% to 0.0%)" in capsys.readouterr().out
    assert Comparison.load(folder / "comparison.json") == comparison


def test_a_folder_without_trials_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no trial of a study here"):
        rejudge.main(tmp_path, [])


def test_a_text_without_a_table_is_told(anew: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("Nothing here.\n")
    with pytest.raises(UserError, match=r"notes\.md: the claims that are to be replaced are not in it"):
        rejudge.main(anew / "results", [tmp_path / "notes.md"])
