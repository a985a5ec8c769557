"""The stage `encode`, and what networks are then given."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from fm.batches import Batches, Budget
from fm.codecs import Latents
from fm.conditions import Text, Unconditional
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from fm.errors import UserError
from fm.generator import Generator
from fm.networks import AutoencoderKL
from pipelines import encode, latents, methods, params
from pipelines.dataset import for_training
from pipelines.project import CODEC, ENCODED, PREPARED, ROOT
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


@pytest.fixture
def encoded(place: Path, monkeypatch: pytest.MonkeyPatch) -> EncodeMetrics:
    """What has been written there, which is where we are."""
    monkeypatch.chdir(place)
    return write_encoded()


def write_encoded() -> EncodeMetrics:
    return encode.write(params.load(), Prepared.open(PREPARED), ENCODED, Path("work"), torch.device("cpu"))


def test_networks_are_given_captions(encoded: EncodeMetrics, capsys: pytest.CaptureFixture[str]) -> None:
    assert (encoded.captions, encoded.cut, encoded.without) == (4, 0, 2)
    encode.tell(encoded)
    assert capsys.readouterr().out.splitlines() == [
        "data/encoded: 4 different captions, 20 tokens by MiniLM",
        "2 images have no caption: networks are told nothing of them",
    ]
    examples = for_training(params.load(), Prepared.open(PREPARED))
    assert isinstance(examples.conditioner, Text)
    assert set(examples.conditioner.examples) <= {caption for captions in CAPTIONS for caption in captions}
    batch = Batches(examples, Budget(images_seen=64, batch_size=8, learning_rate=1e-3))[0]
    assert batch.condition["text"].shape == (8, 8, 16)


@pytest.mark.usefixtures("encoded")
def test_sample_sets_ask_for_the_captions_of_the_data() -> None:
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


def test_without_captions_it_says_where_they_are_looked_for(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    prepare(place, ((), (), ()))
    with pytest.raises(UserError) as told:
        write_encoded()
    assert str(told.value) == (
        "params.yaml: dataset.condition: text, but none of the 3 training images of drawings has a caption: "
        "docs/own-images.md says where captions are looked for"
    )


def test_where_nothing_is_to_be_encoded_it_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    content = yaml.safe_load((place / "params.yaml").read_text())
    content["dataset"]["condition"] = "labels"
    (place / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"condition = labels and codec\.kind = pixels: nothing is to be encoded"):
        write_encoded()


def test_networks_are_given_latents_and_captions(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    options = AutoencoderKL(in_channels=1, block_out_channels=(8, 8), norm_num_groups=4)
    made = Latents.around(options, options.build(), stored=(8, 8, 1)).fitted(Prepared.open(PREPARED).train)
    latents.write(made, CODEC)
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["codec"]["kind"] = "latents"
    Path("params.yaml").write_text(yaml.safe_dump(content))
    metrics = write_encoded()
    assert (metrics.latents, metrics.latents_bytes, metrics.captions) == (8, 2 * (128 + 4 * 8 * 4 * 4 * 2), 4)
    examples = for_training(params.load(), Prepared.open(PREPARED))
    assert isinstance(examples.conditioner, Text)
    batch = Batches(examples, Budget(images_seen=64, batch_size=8, learning_rate=1e-3))[0]
    assert batch.data.shape == (8, 4, 4, 4)
    assert batch.condition["text"].shape == (8, 8, 16)
    method = methods.build(params.load(), examples)["diffusion"]
    assert method.config.sampler.solver == "ddim"  # nothing bounds latents
    assert [one.label for one in method.samplers] == ["ddim", "ddim", "ddpm", "ddpm", "ddpm", "dpmpp_2m", "dpmpp_2m"]
    methods.try_all([method])
    method.untrained().save("generator")
    assert Generator.load("generator").sample(2, seed=0, steps=1).shape == (2, 8, 8, 1)
