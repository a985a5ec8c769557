"""Fields, videos and volumes through all stages, and the commands on what came of them: two kinds are a user's own."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.all_stages import KINDS, RUNS
from tests.conftest import ROOT, checkout

MEANS = """\
import numpy as np


def embed(data):
    return data.reshape(len(data), 8, -1).mean(axis=2)
"""
SETTINGS = {
    "network.width": 8,
    "network.multipliers": [1],
    "network.patch_size": 2,
    "train.images_seen": 160,
    "train.batch_size": 32,
    "evaluate.extractor": "extractors/means.py:embed",
    "evaluate.images": 20,
    "methods.flow_matching.samplers": [{"solver": "euler", "steps": [2, 10]}],
    "methods.diffusion.samplers": [{"solver": "ddim", "steps": [10]}],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what each kind has left."""
    project = checkout(tmp_path_factory.mktemp("beyond") / "project")
    shutil.copy(ROOT / "tests" / "own_shapes.py", project.folder / "own" / "shapes.py")
    (project.folder / "extractors" / "means.py").write_text(MEANS)
    project.set_all(SETTINGS)
    project.run("python", "-m", "tests.all_stages")
    return project.folder / RUNS


def read(runs: Path, kind: str, file: str) -> Any:
    return json.loads((runs / kind / file).read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_is_compared_registered_and_served(runs: Path, kind: str) -> None:
    comparison = read(runs, kind, "reports/comparison.json")
    assert comparison["winner"] in ("flow_matching", "diffusion")
    stored = read(runs, kind, "served.json")
    assert stored == [2, *np.load(runs / kind / "made.npz")["images"].shape[1:]]


@pytest.mark.parametrize(
    ("kind", "figures"),
    [
        ("fields", {"spectrum", "beyond", "offset", "kurtosis", "kurtosis_slopes", "kurtosis_vorticity", "divergence"}),
        ("videos", {"lawful", "kept", "both", "law", "speed", "flicker", "frames"}),
        ("volumes", {"one_part", "recognised", "both", "largest", "occupancy"}),
    ],
)
def test_is_measured_in_its_own_terms(runs: Path, kind: str, figures: set[str]) -> None:
    evaluation = read(runs, kind, "metrics/evaluate/flow_matching.json")
    assert {one["name"] for one in evaluation["figures"]} == figures
    for row in evaluation["rows"]:
        assert row["figures"].keys() == figures
        assert all(len(one["sets"]) == evaluation["num_sets"] for one in row["figures"].values())
    page = (runs / kind / "reports" / "report.html").read_text()
    assert "Are the data right?" in page
    assert "1,000 samples at" in page


def test_videos_are_completed_from_their_first_frames(runs: Path) -> None:
    for method in ("flow_matching", "diffusion"):
        completion = read(runs, "videos", f"metrics/evaluate/{method}.json")["completion"]
        assert completion["part"] == "the first frames"
        assert 0 < completion["crps_low"] < completion["crps"] < completion["crps_high"]
        assert len(completion["crps_each"]) == completion["data"]
    assert "Is the rest told" in (runs / "videos" / "reports" / "report.html").read_text()
    assert "completion" not in read(runs, "volumes", "metrics/evaluate/diffusion.json")


def test_real_data_are_right(runs: Path) -> None:
    real = {
        (kind, one["name"]): one["test"]["value"]
        for kind in KINDS
        for one in read(runs, kind, "metrics/evaluate/diffusion.json")["figures"]
    }
    assert real["fields", "divergence"] < 1e-5
    assert real["videos", "lawful"] == real["videos", "kept"] == 1
    assert real["volumes", "one_part"] == 1


@pytest.mark.parametrize(("kind", "moves"), [("fields", False), ("videos", True), ("volumes", True)])
def test_is_shown_as_it_moves(runs: Path, kind: str, moves: bool) -> None:
    films = list((runs / kind / "samples" / "diffusion").glob("*.webp"))
    assert bool(films) == moves
    page = (runs / kind / "reports" / "report.html").read_text()
    assert ("data:image/webp" in page) == moves
    assert ("The colours, channel by channel" in page) != moves
    kinds = {one.suffix for one in (runs / kind / "files").iterdir()} - {".json"}
    assert kinds == {".webp" if moves else ".png"}
    assert all(one.startswith(f"data:image/{'webp' if moves else 'png'}") for one in read(runs, kind, "demo.json"))


def test_what_cannot_be_exported_is_refused_in_a_line(runs: Path) -> None:
    told = {kind: read(runs, kind, "export.json") for kind in KINDS}
    assert told["volumes"]["torch"] == ""
    assert told["videos"]["torch"] == "only labels can be exported as a condition, and this has given"
    assert told["fields"]["torch"] == "only pixels can be exported so, and this makes standardised"
    assert told["videos"]["diffusers"] == "--to diffusers takes pictures alone, and what this makes is 8×8×8×1"
