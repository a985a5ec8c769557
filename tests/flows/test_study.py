"""Where a trial's images are looked for."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from flows import study
from flows.study import Bench
from pipelines.project import ROOT
from pipelines.study.plan import Trial


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A checkout `place` beside the user's, which alone has a folder of pictures."""
    for name in ("user", "place"):
        (tmp_path / name / "data").mkdir(parents=True)
        shutil.copy(ROOT / "data/README.md", tmp_path / name / "data")
    (tmp_path / "user" / "pictures").mkdir()
    monkeypatch.setattr(study, "ROOT", tmp_path / "user")
    user, place = tmp_path / "user", tmp_path / "place"
    return Bench("tiny", user, place, "code", (ROOT / "params.yaml").read_text(), {})


def path_of(bench: Bench, **overrides: str) -> str:
    settings = {key.replace("__", "."): value for key, value in overrides.items()}
    text = bench.settings_of(Trial("main", 0, {}, settings, compares=True))
    return str(yaml.safe_load(text)["dataset"]["path"])


def test_what_the_checkout_has_is_named_as_the_user_names_it(bench: Bench) -> None:
    assert path_of(bench) == "data/README.md"


def test_a_folder_that_git_does_not_have_is_the_users(bench: Bench) -> None:
    expected = str(study.ROOT / "pictures")
    assert path_of(bench, dataset__name="image-folder", dataset__path="pictures") == expected


def test_also_where_it_is_the_users_own_setting(bench: Bench) -> None:
    own = bench.pristine.replace("path: data/README.md", "path: pictures")
    assert own != bench.pristine
    assert path_of(replace(bench, pristine=own)) == str(study.ROOT / "pictures")
