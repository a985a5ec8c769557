"""The stage `prepare`, as a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from fm.data.prepared import Prepared
from pipelines.project import CACHE_VARIABLE, PREPARED, ROOT


def prepare(folder: Path, **dataset: object) -> subprocess.CompletedProcess[str]:
    """Run the stage in a folder of its own, with the project's settings but for `dataset`."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["dataset"] |= dataset
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return subprocess.run(
        [sys.executable, "-m", "pipelines.prepare"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), CACHE_VARIABLE: str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_digits(tmp_path: Path) -> None:
    done = prepare(tmp_path, name="digits")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "digits: taken from scikit-learn's own copy\n"
        "data/prepared: 1,500 training and 297 test images, 10 labels, 8x8x1\n"
    )
    prepared = Prepared.open(tmp_path / PREPARED)
    prepared.verify()
    assert (prepared.name, prepared.image_size, prepared.channels, prepared.num_classes) == ("digits", 8, 1, 10)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["prepared"]


def test_a_second_run_makes_the_same_bytes(tmp_path: Path) -> None:
    prepare(tmp_path, name="digits")
    first = {path.name: path.read_bytes() for path in (tmp_path / PREPARED).iterdir()}
    (tmp_path / PREPARED / "of an earlier version").touch()
    prepare(tmp_path, name="digits")
    assert {path.name: path.read_bytes() for path in (tmp_path / PREPARED).iterdir()} == first


def test_another_size(tmp_path: Path) -> None:
    done = prepare(tmp_path, name="digits", image_size=16)
    assert done.stdout.endswith("10 labels, 16x16x1, from 8x8\n")
    prepared = Prepared.open(tmp_path / PREPARED)
    assert prepared.train.images.shape == (1500, 16, 16, 1)
    assert np.ptp(prepared.train.images) > 200
    assert json.loads((tmp_path / PREPARED / "manifest.json").read_text())["image_size"] == 16


def test_a_mistake_in_the_settings_is_said_plainly(tmp_path: Path) -> None:
    done = prepare(tmp_path, name="digits", image_size=3)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "dataset.image_size" in done.stderr
    assert not (tmp_path / PREPARED).exists()
