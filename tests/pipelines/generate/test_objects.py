"""A set in S3, by the command, on a real SeaweedFS."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fm.errors import TryLater, UserError
from infra.services.buckets import Key
from pipelines.generate import __main__ as generate
from pipelines.worktree import DVC
from tests.fm.conftest import tiny_generator
from tests.ports import free_run
from tests.store import Store

BUCKET = "team-c-samples"


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, Key]:
    return store.set_up("team-c", {})


@pytest.fixture(autouse=True)
def project(store: Store, keys: dict[str, Key], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.variables(keys["training"]).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    tiny_generator().save("model")


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{request.node.name}/"


@pytest.fixture
def s3(store: Store, keys: dict[str, Key]) -> Any:
    return store.client(keys["training"])


def command(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", "--model", "model", *line.split()])
    generate.main()


def objects(s3: Any, place: str) -> dict[str, bytes]:
    prefix = place.removeprefix(f"s3://{BUCKET}/")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    return {key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def writes(s3: Any, place: str) -> int:
    """How often something was written there: the bucket keeps every version."""
    prefix = place.removeprefix(f"s3://{BUCKET}/")
    return len(s3.list_object_versions(Bucket=BUCKET, Prefix=prefix)["Versions"])


def test_it_is_the_same_bytes_whatever_the_number_of_shards(
    store: Store, monkeypatch: pytest.MonkeyPatch, place: str, s3: Any
) -> None:
    command(monkeypatch, f"--count 450 --seed 3 --out {place}one/")
    for index in (3, 1, 2):
        command(monkeypatch, f"--count 450 --seed 3 --out {place}three --shard {index}/3")
    made = objects(s3, f"{place}one/")
    assert made == objects(s3, f"{place}three/")
    assert sorted(made) == ["00000000.npz", "00000200.npz", "00000400.npz", "settings.json"]
    assert json.loads(made["settings.json"])["count"] == 450
    chunks = [np.load(io.BytesIO(made[name])) for name in sorted(made)[:3]]
    whole = tiny_generator().sample(600, 3, batch_size=200)[:450]
    assert np.array_equal(np.concatenate([chunk["images"] for chunk in chunks]), whole)
    assert np.concatenate([chunk["labels"] for chunk in chunks]).tolist() == [number % 10 for number in range(450)]


def test_it_goes_on_where_it_was_and_writes_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    s3 = store.client(store.admin)  # training may not ask for versions
    command(monkeypatch, f"--count 450 --label 3 --out {place} --shard 2/3")
    assert f"200 images of the label 3 written to {place}\n" in capsys.readouterr().out
    command(monkeypatch, f"--count 450 --label 3 --out {place}")
    assert f"250 images of the label 3 written to {place}\n" in capsys.readouterr().out
    command(monkeypatch, f"--count 450 --label 3 --out {place}")
    assert capsys.readouterr().out == f"0 images of the label 3 written to {place}\n"
    assert writes(s3, place) == 4


def test_a_place_with_other_settings_is_left_alone(monkeypatch: pytest.MonkeyPatch, place: str, s3: Any) -> None:
    command(monkeypatch, f"--count 5 --seed 1 --out {place}")
    before = objects(s3, place)
    for line, said in (
        ("--count 5 --seed 2", "seed 1, not 2"),
        ("--count 6 --seed 1", "count 5, not 6"),
        ("--count 5 --seed 1 --steps 3", "sampler"),
    ):
        with pytest.raises(UserError, match=f"^{place}: has images with {said}"):
            command(monkeypatch, f"{line} --out {place}")
    assert objects(s3, place) == before


def test_a_place_with_somebody_elses_objects_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, place: str, s3: Any
) -> None:
    s3.put_object(Bucket=BUCKET, Key=place.removeprefix(f"s3://{BUCKET}/") + "holiday.png", Body=b"mine")
    with pytest.raises(UserError, match=f"^{place}: has objects that were not made here"):
        command(monkeypatch, f"--count 5 --out {place}")
    assert objects(s3, place) == {"holiday.png": b"mine"}


def test_a_store_that_does_not_answer_may_later(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_run(1)}")
    with pytest.raises(TryLater, match="does not answer"):
        command(monkeypatch, f"--count 5 --out {place}")


@pytest.mark.parametrize("line", ["--out s3://bucket", "--out s3://bucket/a --interpolate 2",
                                  "--out s3://bucket/a --guidance 1 2"])  # fmt: skip
def test_impossible_options(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    with pytest.raises(SystemExit):
        command(monkeypatch, line)


def test_the_documented_way_brings_it_back(
    monkeypatch: pytest.MonkeyPatch, place: str, s3: Any, tmp_path: Path
) -> None:
    command(monkeypatch, f"--count 5 --out {place}")
    subprocess.run([DVC, "get-url", place.rstrip("/"), "back"], cwd=tmp_path, check=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()} == objects(s3, place)
