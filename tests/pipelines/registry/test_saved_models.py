"""What lies in MLflow's store is loaded and run only as it was registered."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlparse

import mlflow
import numpy as np
import pytest

from flows import settings
from fm.errors import UserError
from pipelines import serve
from pipelines.lineage import links
from pipelines.lineage.links import Link
from pipelines.lineage.traced import Traced
from pipelines.project import ROOT
from pipelines.records import tracking
from pipelines.registry import model_version, saved_models
from tests.fm.conftest import tiny_generator

NAME = "tiny-generator"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store's database and the files of a version in it."""
    folder = tmp_path_factory.mktemp("registered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        generator = tiny_generator()
        generator.save(folder / "generator")
        (folder / "pages").mkdir()
        (folder / "pages" / "card.md").write_text("a page", encoding="utf-8")
        run_id = tracking.client().create_run(tracking.experiment_id("tiny"), run_name="register").info.run_id
        tags = {"git.commit": "0" * 40}
        model_version.create(NAME, run_id, generator, folder / "generator", folder / "pages", tags, "a page")
        place = tracking.client().get_model_version_download_uri(NAME, "1")
        (folder / "model").symlink_to(Path(urlparse(place).path))
    return folder


@pytest.fixture
def files(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The version's files where the store keeps them; what a test does to them is undone."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{template / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    found = (template / "model").resolve()
    shutil.copytree(found, tmp_path / "before")
    yield found
    shutil.rmtree(found)
    shutil.copytree(tmp_path / "before", found)


def append(text: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)

    return change


CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("served_model.py", append("\nprint('a stranger was here')\n")),
    ("MLmodel", append("\n# by a stranger\n")),
    ("code/fm/__init__.py", append("\nprint('a stranger was here')\n")),
    ("code/fm/stranger.py", append("print('a stranger was here')\n")),
    ("sitecustomize.py", append("print('a stranger was here')\n")),
    ("requirements.txt", append("a-stranger-s\n")),
    ("artifacts/generator/config.json", append("\n")),
    ("artifacts/generator/more.json", append("{}")),
    ("artifacts/generator/config.json", lambda file: file.unlink()),
]


@pytest.mark.parametrize(
    ("file", "change"), CHANGES, ids=[f"{number} {file}" for number, (file, _) in enumerate(CHANGES)]
)
def test_what_is_not_as_it_was_registered_is_not_served(
    files: Path, tmp_path: Path, file: str, change: Callable[[Path], object]
) -> None:
    change(files / file)
    (tmp_path / "place").mkdir()
    with pytest.raises(UserError, match=f"{NAME}, version 1: its files are not those that were registered"):
        saved_models.fetch_whole(NAME, "1", tmp_path / "place")


def test_what_using_a_version_leaves_beside_it_is_not_taken_along(files: Path, tmp_path: Path) -> None:
    """MLflow's load_model writes a file of its own where the model lies, and Python what it has compiled."""
    mlflow.set_tracking_uri(tracking.uri())
    mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    (files / "code" / "fm" / "__pycache__").mkdir(exist_ok=True)
    (files / "code" / "fm" / "__pycache__" / "noise.cpython-311.pyc").write_bytes(b"planted")
    (tmp_path / "place").mkdir()
    saved_models.fetch_whole(NAME, "1", tmp_path / "place")
    assert not [file for file in (tmp_path / "place").rglob("*") if file.suffix == ".pyc"]


def test_a_generator_that_is_not_as_it_was_registered_is_not_loaded(files: Path) -> None:
    tiny_generator(seed=9).save(files / "artifacts" / "generator")
    with pytest.raises(UserError, match=r"\(generator.sha256 is .*\); nothing of them was run"):
        saved_models.load(f"{NAME}@1")


def test_one_that_nothing_says_anything_about_is_not_loaded(files: Path) -> None:
    tracking.client().create_registered_model("nameless")
    version = tracking.client().create_model_version("nameless", files.as_uri())
    try:
        with pytest.raises(UserError, match=r"nameless, version 1: has no tag generator.sha256"):
            saved_models.load(f"nameless@{version.version}")
    finally:
        tracking.client().delete_registered_model("nameless")


@pytest.mark.parametrize(
    ("file", "what"), [("served_model.py", "served code"), ("artifacts/generator/config.json", "generator")]
)
def test_lineage_says_which_is_changed(files: Path, file: str, what: str) -> None:
    version = Traced(files, tracking.client().get_model_version(NAME, "1"), None, None, None)

    def found() -> dict[str, str]:
        checked: list[Link] = [links.weights(version), links.code(version)]
        return {link.what: link.state for link in checked}

    assert found() == {"generator": "ok", "served code": "ok"}
    append("\n")(files / file)
    assert found() == {"generator": "ok", "served code": "ok"} | {what: "differs"}


def test_what_is_served_is_a_copy_that_was_checked(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda program, command, environment: started.append(command))
    monkeypatch.setattr(serve, "cache_dir", lambda: tmp_path / "cache")
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    settings.override(Path("params.yaml"), {"register.model_name": NAME})
    monkeypatch.setattr(sys, "argv", ["serve", "--model", "1"])
    serve.main()
    (command,) = started
    copy = Path(command[command.index("-m") + 1])
    assert copy.is_relative_to(tmp_path / "cache")
    images = mlflow.pyfunc.load_model(str(copy)).predict([{"label": "7"}], params={"num_samples": 2})
    assert np.array_equal(images, tiny_generator().sample(2, 0, [7] * 2))

    append("\nprint('a stranger was here')\n")(files / "served_model.py")
    with pytest.raises(UserError, match="not those that were registered"):
        serve.main()
    assert len(started) == 1
    assert "stranger" not in (copy / "served_model.py").read_text(encoding="utf-8")
