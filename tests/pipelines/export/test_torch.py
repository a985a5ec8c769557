"""A program of torch.export in a process that cannot import fm, and at the endpoint."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fm.generator import Generator
from pipelines import serve
from pipelines.export import to_torch
from pipelines.export.portable import sample
from pipelines.export.table import noise_of
from tests.fm.conftest import tiny_generator

COUNT = 4
NAMES = ("cat", "dog")


def generator() -> Generator:
    return tiny_generator(label_names=NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exported") / "program"
    place.mkdir()
    to_torch.write([generator().adjusted(steps, "midpoint", guidance=2.0) for steps in (2, 3)], place)
    return place


def test_its_own_lines_make_the_same_images(folder: Path, tmp_path: Path) -> None:
    """Where importing fm is an error."""
    chosen = generator().adjusted(3, "midpoint", guidance=2.0)
    np.save(tmp_path / "noise.npy", noise_of(chosen, COUNT)()[None].numpy())
    (tmp_path / "fm.py").write_text("raise ImportError('not needed here')\n")
    given = ["--noise", str(tmp_path / "noise.npy"), "--steps", "3", "--labels", *["dog", "cat"] * 2]
    subprocess.run(
        [sys.executable, str(folder / "sample.py"), str(tmp_path / "made.npy"), *given],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=True,
    )
    expected = chosen.sample(COUNT, seed=0, labels=["dog", "cat"] * 2).astype(int)
    assert np.abs(np.load(tmp_path / "made.npy").astype(int) - expected).max() <= 1
    assert expected.std() > 10


def test_what_cannot_be_asked_for_is_told_in_a_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "noise.npy", np.zeros((1, 2, 1, 4, 4), dtype=np.float32))
    monkeypatch.setattr(sample, "FOLDER", folder)
    for given, line in (
        (["--labels", "3", "dog"], "error: no label '3': there are cat, dog"),
        (["--noise", str(tmp_path / "noise.npy")], "error: noise: (2, 1, 4, 4): must be (2, 1, 8, 8) at each draw"),
        (["--noise", str(tmp_path / "none.npy")], "No such file or directory"),
    ):
        monkeypatch.setattr(sys, "argv", ["sample.py", str(tmp_path / "made.npy"), *given])
        with pytest.raises(SystemExit):
            sample.main()
        assert line in capsys.readouterr().err
    assert not (tmp_path / "made.npy").exists()


@pytest.mark.parametrize("what", ["program", "weights"])
def test_the_endpoint_serves_a_folder(what: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the code that a registered model has: labels, seeds, steps and formats are the same."""
    import mlflow

    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path / "cache"))
    generator().save(tmp_path / "weights")
    name, place = serve.laid_out(str(folder if what == "program" else tmp_path / "weights"))
    assert name.endswith(what)
    model = mlflow.pyfunc.load_model(str(place))
    found = model.predict([{"label": "dog"}], params={"num_samples": 3, "seed": 4, "steps": 2, "guidance": 1.5})
    sampler = {"program": "midpoint", "weights": "ddim"}[what]
    expected = generator().sample(3, 4, ["dog"] * 3, steps=2, solver=sampler, guidance=1.5)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def test_folders_of_one_name_are_laid_out_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path / "cache"))
    places = []
    for where in ("one", "another"):
        generator().save(tmp_path / where / "model")
        places.append(serve.laid_out(str(tmp_path / where / "model"))[1])
    assert len(set(places)) == 2
    assert all((place / "MLmodel").is_file() for place in places)
    assert serve.laid_out(str(tmp_path / "one" / "model"))[1] == places[0]
