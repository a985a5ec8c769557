"""The stage `encode`, as a command, and what networks are then given."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from fm.batches import Batches, Budget
from fm.conditions import Text, Unconditional
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from pipelines import params
from pipelines.dataset import for_training
from pipelines.project import CACHE_VARIABLE, METRICS, PREPARED, ROOT
from pipelines.sample_sets import conditions
from pipelines.schemas.encode import EncodeMetrics
from tests.fm.conftest import tiny_generator
from tests.fm.text.tiny import tiny_encoder

CAPTIONS = (("a red heart", "the heart"), ("a star",), (), ("the left bar",))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with prepared data, some of them with captions, and an encoder."""
    encoder = tiny_encoder(tmp_path / "encoders" / "tiny")
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["dataset"] |= {"name": "image-folder", "path": str(encoder), "channels": 1, "image_size": 8}
    content["dataset"]["condition"] = {
        "kind": "text",
        "encoder": {"name": "minilm", "place": str(encoder), "length": 8},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    prepare(tmp_path, CAPTIONS)
    return tmp_path


def prepare(place: Path, captions: tuple[tuple[str, ...], ...]) -> None:
    images, labels = np.zeros((len(captions), 8, 8, 1), np.uint8), np.arange(len(captions)) % 2
    splits = Splits(images, labels, images, labels, ("a", "b"), train_texts=captions, test_texts=captions)
    write(place / PREPARED, splits, "drawings")


def encode(place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.encode"],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT), CACHE_VARIABLE: str(place / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_networks_are_given_captions(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = encode(place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == [
        "data/encoded: 4 different captions, 22 tokens by MiniLM",
        "2 images have no caption: networks are told nothing of them",
    ]
    monkeypatch.chdir(place)
    metrics = EncodeMetrics.load(METRICS / "encode.json")
    assert (metrics.captions, metrics.cut, metrics.without) == (4, 0, 2)
    assert not list((place / "cache").glob("encoding/*"))
    dataset = Prepared.open(PREPARED)
    examples = for_training(params.load(), dataset)
    assert isinstance(examples.conditioner, Text)
    assert set(examples.conditioner.examples) <= {caption for captions in CAPTIONS for caption in captions}
    batch = Batches(examples, Budget(images_seen=64, batch_size=8, learning_rate=1e-3))[0]
    assert batch.condition["text"].shape == (8, 8, 16)


def test_sample_sets_ask_for_the_captions_of_the_data(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert encode(place).returncode == 0
    monkeypatch.chdir(place)
    dataset = Prepared.open(PREPARED)
    generator = tiny_generator()
    generator.conditioner = for_training(params.load(), dataset).conditioner
    asked = conditions(generator, dataset)
    assert asked is not None
    assert asked.asked[np.array([3, 2, 1])].tolist() == ["the left bar", "", "a star"]
    assert asked.labels is not None
    assert asked.labels.tolist() == [0, 1, 0, 1]
    generator.conditioner = Unconditional()
    assert conditions(generator, dataset) is None


def test_without_captions_it_says_where_they_are_looked_for(place: Path) -> None:
    prepare(place, ((), (), ()))
    done = encode(place)
    assert done.returncode == 1
    assert done.stderr == (
        "params.yaml: dataset.condition: text, but none of the 3 training images of drawings has a caption: "
        "docs/own-images.md says where captions are looked for\n"
    )
    assert not (place / "data" / "encoded").exists()


def test_an_encoder_that_is_not_there_is_told(place: Path) -> None:
    (place / "encoders" / "tiny" / "model.safetensors").unlink()
    done = encode(place)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "text encoder" in done.stderr
    assert not (place / "data" / "encoded").exists()
