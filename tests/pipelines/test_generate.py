import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fm import images
from fm.errors import UserError
from pipelines import generate, tracking
from pipelines.project import ROOT
from tests.fm.conftest import tiny_generator


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    tiny_generator().save("model")


def command(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", *line.split()])
    generate.main()


def sheet(**sampling: object) -> np.ndarray:
    return images.grid(tiny_generator().sample(**sampling), columns=3).squeeze(2)  # type: ignore[arg-type]


def test_from_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--model model --label 3 --count 7 --seed 2 --steps 2 --solver euler --out bags.png")
    expected = sheet(num_images=7, seed=2, labels=[3] * 7, steps=2, solver="euler")
    assert np.array_equal(np.asarray(Image.open("bags.png")), expected)


def test_all_labels_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--model model --count 8")
    assert np.array_equal(np.asarray(Image.open("images.png")), sheet(num_images=8, seed=0))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--model model --label bag", r"no label 'bag'; the labels are 0 \(0\), 1 \(1\)"),
        ("--model nowhere", "nowhere is no generator"),
        ("--model model --count 1 --out nowhere/a.png", "can't write nowhere/a.png"),
    ],
)
def test_mistakes_are_told_in_a_line(monkeypatch: pytest.MonkeyPatch, line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        command(monkeypatch, line)


@pytest.mark.parametrize("line", ["--count 0", "--count 1.5", "--seed -1", "--steps 0", "--solver magic"])
def test_impossible_options(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    with pytest.raises(SystemExit):
        command(monkeypatch, f"--model model {line}")


def test_champion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fashion-mnist-generator has no champion yet: run `make run`"):
        command(monkeypatch, "--count 9")

    # A version need be no more than a folder with the generator where registration puts it.
    shutil.copytree("model", "registered/artifacts/generator")
    store = tracking.client()
    store.create_registered_model("fashion-mnist-generator")
    with pytest.raises(UserError, match="has no champion yet"):
        command(monkeypatch, "--count 9")
    version = store.create_model_version("fashion-mnist-generator", (tmp_path / "registered").as_uri())
    store.set_registered_model_alias("fashion-mnist-generator", "champion", version.version)
    command(monkeypatch, "--count 9")
    assert np.array_equal(np.asarray(Image.open("images.png")), sheet(num_images=9, seed=0))
