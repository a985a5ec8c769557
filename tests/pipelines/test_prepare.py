"""The stage `prepare`, as a command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from fm.data.prepared import Prepared
from pipelines import prepare as stage
from pipelines.project import CACHE_VARIABLE, METRICS, PREPARED, ROOT
from pipelines.schemas.prepare import ImagesElsewhere, LeftOutFiles, PrepareMetrics
from tests import programs


def prepare(folder: Path, **dataset: object) -> subprocess.CompletedProcess[str]:
    """Run the stage in a folder of its own, with the project's settings but for `dataset`."""
    settle(folder, dataset)
    return programs.run(stage.main, folder, **{CACHE_VARIABLE: str(folder / "cache")})


def settle(folder: Path, dataset: dict[str, object]) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["dataset"] |= dataset
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


def test_digits(tmp_path: Path) -> None:
    """As a command; the other tests run it in their own process."""
    settle(tmp_path, {"name": "digits"})
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.prepare"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), CACHE_VARIABLE: str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, labels, last = done.stdout.splitlines()
    assert first == "digits: taken from scikit-learn's own copy"
    assert labels.startswith("labels: 0 178, 1 182, ")
    assert last == "data/prepared: 1,500 training and 297 test images, 10 labels, 8x8x1"
    prepared = Prepared.open(tmp_path / PREPARED)
    prepared.verify()
    assert (prepared.name, prepared.stored, len(prepared.label_names)) == ("digits", (8, 8, 1), 10)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["prepared"]


def test_a_second_run_makes_the_same_bytes(tmp_path: Path) -> None:
    prepare(tmp_path, name="digits")
    first = {path.name: path.read_bytes() for path in (tmp_path / PREPARED).iterdir()}
    (tmp_path / PREPARED / "of an earlier version").touch()
    prepare(tmp_path, name="digits")
    assert {path.name: path.read_bytes() for path in (tmp_path / PREPARED).iterdir()} == first


def test_another_size_and_a_store_that_is_not_used(tmp_path: Path) -> None:
    done = prepare(tmp_path, name="digits", image_size=16, store="s3://bucket/digits")
    last, warning = done.stdout.splitlines()[-2:]
    assert last.endswith("10 labels, 16x16x1, from 8x8")
    assert warning.startswith("warning: dataset.store: s3://bucket/digits is not used")
    prepared = Prepared.open(tmp_path / PREPARED)
    assert prepared.train.data.shape == (1500, 16, 16, 1)
    assert np.ptp(prepared.train.data) > 200
    assert json.loads((tmp_path / PREPARED / "manifest.json").read_text())["codec"]["stored"] == [16, 16, 1]


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"kind": "low_resolution", "factor": 3}, "factor = 3: must divide 8 and 8"),
        ({"kind": "first_frames", "count": 8}, "count = 8: of 8 slices there must be one left to predict"),
    ],
)
def test_data_without_such_a_part_are_not_prepared(tmp_path: Path, condition: dict[str, object], says: str) -> None:
    options = {"train": 2, "test": 2, "side": 8, "time": 0.1}
    done = prepare(tmp_path, name="turbulence", options=options, condition=condition)
    assert (done.returncode, done.stderr) == (1, f"params.yaml: dataset.condition: {says}\n")
    assert not (tmp_path / PREPARED).exists()


def test_a_folder_says_what_it_has_become(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("pictures/train", "pictures/test", "elsewhere"):
        (tmp_path / label).mkdir(parents=True)
        for number in range(20):
            Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / label / f"{number}.png")
    (tmp_path / "pictures" / "cats").symlink_to("../elsewhere")
    (tmp_path / "pictures" / "train" / "IMG_1.heic").write_bytes(b"no image")
    for name in ("notes.txt", "test/a.txt", "test/b.txt", "test/.DS_Store"):
        (tmp_path / "pictures" / name).touch()
    done = prepare(tmp_path, name="image-folder", path="pictures", on_bad_image="skip")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:-1] == [
        "image-folder: taken from pictures",
        "skipped: train/IMG_1.heic: .heic is a format that is not read here; save it as PNG or JPEG",
        "left out: 1 .txt in ./",
        "left out: 2 .txt, 1 hidden in test/",
        f"20 images of cats/ lie outside of the folder, in {tmp_path / 'elsewhere'}, by a link to a folder: "
        "DVC does not look behind it, so after a change there `dvc repro --force prepare`",
        "labels: cats 20, test 20, train 20",
        "warning: the sub-folders test, train are taken for labels. If they are splits, set dataset.path to "
        "pictures/train, or merge them label by label: the test split is made here",
    ]
    metrics = PrepareMetrics.load(tmp_path / METRICS / "prepare.json")
    assert (metrics.num_skipped, metrics.num_left_out, metrics.num_elsewhere) == (1, 4, 20)
    assert [(one.label, one.train + one.test) for one in metrics.by_label] == [
        ("cats", 20),
        ("test", 20),
        ("train", 20),
    ]
    assert sum(one.test for one in metrics.by_label) == metrics.test_images
    assert metrics.left_out[-1] == LeftOutFiles(place="test", kind="hidden", files=1)
    assert metrics.elsewhere == [
        ImagesElsewhere(place="cats", target=str(tmp_path / "elsewhere"), images=20, by_folder=True)
    ]


def test_a_mistake_in_the_settings_is_said_plainly(tmp_path: Path) -> None:
    done = prepare(tmp_path, name="digits", image_size=3)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "dataset.image_size" in done.stderr
    assert not (tmp_path / PREPARED).exists()


def test_shards_have_what_arrays_have(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "pictures" / ("cats", "dogs")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    asked = {"name": "image-folder", "path": "pictures", "image_size": 8, "channels": 3}
    shards = {"storage": "shards", "shard_megabytes": 0.002, "window_megabytes": 0.01}
    arrays = prepare(tmp_path, **asked).stdout.splitlines()
    whole = Prepared.open(tmp_path / PREPARED)
    told = prepare(tmp_path, **asked, **shards)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[:-1] == arrays[:-1]
    assert re.fullmatch(rf"{re.escape(arrays[-1])}, in \d+ shards", told.stdout.splitlines()[-1])
    prepared = Prepared.open(tmp_path / PREPARED)
    prepared.verify()
    for mine, its in ((prepared.train, whole.train), (prepared.test, whole.test)):
        assert sorted(map(bytes, mine[np.arange(len(mine))]["data"])) == sorted(map(bytes, its.data))
    assert (prepared.codec, prepared.conditioner) == (whole.codec, whole.conditioner)
    assert not list((tmp_path / "cache" / "sharding").iterdir())


def test_a_store_without_keys_is_told_before_an_image_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    (tmp_path / "pictures" / "cats").mkdir(parents=True)
    (tmp_path / "pictures" / "cats" / "none.png").touch()
    done = prepare(tmp_path, name="image-folder", path="pictures", storage="shards", store="s3://bucket/pictures")
    assert (done.returncode, done.stderr) == (
        1,
        "s3://bucket/pictures/: no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as .env does\n",
    )


def test_captions_are_kept_and_what_is_wrong_with_some_stops_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(60):
        path = tmp_path / "pictures" / f"{number:02}.png"
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
        path.with_suffix(".txt").write_text(f"number {number}\na number\n" if number % 2 else f"number {number}")
    for number in range(7):
        (tmp_path / "pictures" / f"{number:02}.txt").unlink()
    (tmp_path / "pictures" / "10.txt").write_bytes(b"caf\xe9")
    (tmp_path / "pictures" / "\x1b[31mred.txt").write_text("of nothing")
    asked = {"name": "image-folder", "path": "pictures", "image_size": 8}
    for storage in ("arrays", "shards"):
        done = prepare(tmp_path, **asked, storage=storage)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[:-1] == [
            "image-folder: taken from pictures",
            "left out: 1 .txt in ./",
            "captions: 52 of 60 images have 1 to 2 each",
            "warning: captions: 1 not UTF-8: 10.png",
            r"warning: captions: 1 of no image: \x1b[31mred.txt",
            "warning: captions: 7 without one: 00.png, 01.png, 02.png, 03.png, 04.png and 2 more",
        ]
        metrics = PrepareMetrics.load(tmp_path / METRICS / "prepare.json")
        assert (metrics.num_captioned, metrics.num_captions) == (52, 79)
        assert {one.captions: one.images for one in metrics.by_captions} == {0: 8, 1: 25, 2: 27}
        assert {one.reason: one.count for one in metrics.caption_faults} == {
            "without one": 7,
            "not UTF-8": 1,
            "of no image": 1,
        }


def test_captions_of_videos_are_not_said_to_be_of_images(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "clips" / split).mkdir(parents=True)
        first, second = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
        first.save(tmp_path / "clips" / split / "a.gif", save_all=True, append_images=[second])
    (tmp_path / "clips" / "train" / "a.txt").write_text("from red to blue")
    done = prepare(tmp_path, name="video-folder", path="clips", options={"frames": 2, "side": 8})
    assert "captions: 1 of 2 data have 1 each" in done.stdout, done.stderr
    assert "warning: captions: 1 without one: test/a.gif" in done.stdout


def test_fields_are_kept_as_they_are(tmp_path: Path) -> None:
    done = prepare(tmp_path, name="turbulence", options={"train": 4, "test": 2, "side": 16, "time": 0.1})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "turbulence: taken from seed 0",
        "data/prepared: 4 training and 2 test data, 0 labels, float32 2x16x16",
    ]
    prepared = Prepared.open(tmp_path / PREPARED)
    assert (prepared.stored, prepared.codec.name, prepared.conditioner.choice) == ((2, 16, 16), "standardised", "none")
