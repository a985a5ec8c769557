"""From captions to prompts: a small transformer that attends to words is trained beside their embeddings, saved, and
asked in another process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fm.batches import Budget, Examples
from fm.codecs import Pixels
from fm.conditions import Text
from fm.data.rows import Arrays
from fm.generator import Generator, GeneratorError
from fm.objectives import Regression
from fm.starting import Original, gone_on
from fm.text import EncoderError, MiniLM
from fm.text.finding import VARIABLE
from fm.training.loop import fit, untrained
from tests.fm.text.tiny import tiny_encoder

HALVES = {
    "the left bar": np.s_[:, :4],
    "the right bar": np.s_[:, 4:],
    "the upper bar": np.s_[:4],
    "the lower bar": np.s_[4:],
}
"""What a picture is called, and where it is white."""
ASK = """
import json, sys
from fm.generator import Generator
generator = Generator.load(sys.argv[1])
asked = json.loads(sys.argv[2])
away = generator.away_from("the left bar").adjusted(guidance=2)
print(json.dumps({
    "made": generator.sample(len(asked), 3, asked).tolist(),
    "guided": generator.sample(len(asked), 3, asked, guidance=2.0).tolist(),
    "away": away.sample(len(asked), 3, asked).tolist(),
    "brought": sorted({"transformers", "lightning"} & sys.modules.keys()),
}))
"""


def pictures(texts: list[str]) -> NDArray[np.uint8]:
    made = np.zeros((len(texts), 8, 8, 1), np.uint8)
    for picture, text in zip(made, texts, strict=True):
        picture[HALVES[text]] = 255
    return made


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("here") / "encoder")


@pytest.fixture(scope="module")
def trained(encoder_folder: Path) -> Generator:
    text = Text.by(MiniLM(length=8, place=str(encoder_folder)))
    captions = [*HALVES] * 16
    made = text.encoder.encode(captions)
    fields = {"data": pictures(captions), "text": made.values.half().numpy(), "text_mask": made.there.numpy()}
    examples = Examples(Arrays(fields), Pixels((8, 8, 1)), text)
    objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    torch.manual_seed(0)
    network = {"name": "transformer", "width": 32, "blocks": 2, "heads": 2, "qk_norm": True}
    generator = untrained(objective, examples, network=network, solver="euler", steps=4)
    fit(generator, objective, examples, Budget(images_seen=32 * 300, batch_size=32, learning_rate=5e-3, ema_decay=0.98))
    return generator


@pytest.fixture(scope="module")
def saved(trained: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "generator"
    trained.save(folder)
    return folder


@pytest.fixture
def moved(encoder_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """Where the encoder is meanwhile."""
    place = tmp_path / "encoders" / encoder_folder.name
    place.parent.mkdir()
    encoder_folder.rename(place)
    yield place
    place.rename(encoder_folder)


def nearest(images: NDArray[np.uint8]) -> list[str]:
    """What each shows."""
    shown = pictures([*HALVES]).astype(float)
    distances = np.square(images[:, None] - shown).mean(axis=(2, 3, 4))
    return [[*HALVES][index] for index in distances.argmin(axis=1)]


def test_another_process_is_asked_by_prompt(trained: Generator, saved: Path) -> None:
    asked = [*HALVES] * 4
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(saved), json.dumps(asked)], check=True, capture_output=True, text=True
    )
    said = json.loads(done.stdout)
    assert nearest(np.array(said["made"])) == asked
    assert nearest(np.array(said["guided"])) == asked
    assert said["made"] == trained.sample(len(asked), 3, asked).tolist()
    assert said["guided"] == trained.sample(len(asked), 3, asked, guidance=2.0).tolist()
    away = trained.away_from("the left bar").sample(len(asked), 3, asked, guidance=2.0)
    assert said["away"] == away.tolist()
    assert said["away"] != said["guided"]
    assert said["brought"] == []


def test_captions_beside_data_and_prompts_make_the_same(trained: Generator) -> None:
    asked = [*HALVES]
    noise = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    text = trained.conditioner
    assert isinstance(text, Text)
    made = text.encoder.encode(asked)
    stored = text.stored({"text": made.values.half().numpy(), "text_mask": made.there.numpy()})
    by_rows = trained.codec.decode(trained.ends_of(noise, stored))
    assert np.array_equal(by_rows, trained.sample_from(noise, asked))


def test_a_negative_stands_where_no_condition_does(trained: Generator) -> None:
    guided = trained.adjusted(guidance=3.0)
    x, t = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0.3, 0.7])
    asked = ["the left bar", "the upper bar"]

    def velocity(generator: Generator, under: list[str]) -> torch.Tensor:
        with torch.no_grad():
            return generator.field(under).velocity(x, t)

    strong, weak = velocity(trained, asked), velocity(trained, ["the right bar"] * 2)
    expected = weak + 3 * (strong - weak)
    torch.testing.assert_close(velocity(guided.away_from("the right bar"), asked), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(velocity(guided.away_from(None), asked), velocity(guided, asked))
    assert not torch.allclose(velocity(guided, asked), expected, atol=1e-2)


def test_the_weights_of_the_encoder_are_not_in_the_folder(saved: Path) -> None:
    assert sorted(file.name for file in saved.iterdir()) == ["config.json", "model.safetensors"]
    sums = json.loads((saved / "config.json").read_text())["conditioner"]["sums"]
    assert [line.split("  ")[1] for line in sums] == ["config.json", "model.safetensors", "tokenizer.json"]


def test_the_encoder_is_found_elsewhere(saved: Path, moved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(moved.parent))
    assert nearest(Generator.load(saved).sample(4, 3, [*HALVES])) == [*HALVES]


def test_without_the_encoder_no_prompt_can_be_read(saved: Path, moved: Path) -> None:
    generator = Generator.load(saved)
    assert generator.sample(2, seed=0, guidance=2.0).shape == (2, 8, 8, 1)
    with pytest.raises(EncoderError, match=rf"^text encoder .*: there is no such folder, .*{VARIABLE}"):
        generator.sample(1, seed=0, labels=["the left bar"])


def test_a_network_goes_on_from_one_of_the_same_encoder_only(
    trained: Generator, tmp_path: Path, encoder_folder: Path
) -> None:
    original = Original.of(trained.config)
    assert gone_on(trained.config, original).network == trained.config.network
    other = Text.by(MiniLM(length=8, place=str(tiny_encoder(tmp_path / "other", seed=1))))
    with pytest.raises(ValueError, match="texts by another encoder"):
        gone_on(trained.config.model_copy(update={"conditioner": other.choice}), original)


def test_a_config_whose_empty_text_is_damaged(saved: Path, tmp_path: Path) -> None:
    content = json.loads((saved / "config.json").read_text())
    content["conditioner"]["empty"] = "?"
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(GeneratorError, match=r"config\.json is damaged or of a newer version: conditioner.*empty"):
        Generator.load(tmp_path)
