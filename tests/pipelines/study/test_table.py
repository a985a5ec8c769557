"""Samplers over a study's seeds."""

from pathlib import Path

import pytest

from fm.errors import UserError
from pipelines.claims.outcomes import Outcome
from pipelines.params import Roles
from pipelines.project import ROOT
from pipelines.study import table
from tests.pipelines.report.made_up import Rows, evaluation


def outcome(seed: int, methods: dict[str, Rows]) -> Outcome:
    evaluations = {method: evaluation(rows) for method, rows in methods.items()}
    return Outcome("main", seed, {}, Roles(), {}, evaluations, None)


def test_a_figure_is_over_the_seeds_that_have_it() -> None:
    """9, 10 and 11 have a standard deviation of 1, and Student's factor is 4.303; one seed has its sets' interval."""
    outcomes = [outcome(seed, {"edm": [("euler", 5, 5, 9.0 + seed)]}) for seed in (0, 1, 2)]
    outcomes[0].evaluations["one_step"] = evaluation([("euler", 1, 1, 20.0)], accuracy=None)
    lines = table.page(outcomes).splitlines()
    assert lines[0].startswith("`fid_classifier` of 4 sets of 250 images to the training split, floor 4.00; 95% interv")
    assert lines[-2] == "| EDM | Euler | 5 | 3 | 10.0 ± 2.48 | 0.80 / 0.70 / 90.0% |"
    assert lines[-1] == "| One step | Euler | 1 | 1 | 20.0 ± 2.00 | 0.80 / 0.70 / – |"


def test_the_study_that_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    table.main(ROOT / "docs" / "results")
    assert "| Flow matching | " in capsys.readouterr().out


def test_a_folder_without_trials_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no trial of a study's arm main here"):
        table.main(tmp_path)
