"""Data that are completed from a part of them, by the command."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fm.codecs import Pixels
from fm.conditions import Given, Observed
from fm.config import Config, SamplerConfig
from fm.errors import UserError
from fm.generator import Generator
from pipelines.generate import __main__ as generate
from tests.fm.conftest import tiny_generator

STORED = 8, 8, 1
DATA = np.random.default_rng(0).integers(0, 256, (2, *STORED), dtype=np.uint8)
MISSING = np.random.default_rng(1).random(DATA.shape) < 0.5


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator:
    """Also in the folder `model` of the working directory."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    config = Config(
        path="cond_ot",
        target="velocity",
        network={"name": "unet", "width": 8, "multipliers": [1], "blocks": 1},
        codec=Pixels(STORED).choice,
        conditioner=Observed((1, 8, 8), share=0.5).choice,
        sampler=SamplerConfig(solver="euler", steps=2),
    )
    made = Generator.untrained(config)
    with torch.no_grad():  # whose last layer is 0 otherwise, whatever is given
        for parameter in made.network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    made.save("model")
    return made


def ask(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", *line.split()])
    generate.main()


def test_each_is_completed_in_turn(
    model: Generator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("seen.npz", data=DATA, missing=MISSING)
    ask(monkeypatch, "--model model --given seen.npz --count 4 --out made.npz")
    assert "4 completions of 2 data in made.npz" in capsys.readouterr().out
    asked = list(np.ma.masked_array(DATA, mask=MISSING))
    made = np.load("made.npz")["images"]
    np.testing.assert_array_equal(made, model.sample(200, 0, asked * 100, batch_size=200)[:4])
    assert not np.array_equal(made, model.sample(4, 0)), "nothing given"


def test_other_data_are_other_files(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a folder is not gone on with that was begun of others."""
    settings = []
    for number, data in enumerate((DATA, DATA[::-1])):
        np.savez("seen.npz", data=data, missing=MISSING)
        ask(monkeypatch, f"--model model --given seen.npz --count 2 --out files{number}")
        settings.append(json.loads(Path(f"files{number}/settings.json").read_text()))
    assert settings[0]["given"] != settings[1]["given"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"data": DATA[:, :4]}, r"has an array \(2, 4, 8, 1\): must be \(N, 8, 8, 1\), N data as they are stored"),
        ({"data": DATA[0]}, r"has an array \(8, 8, 1\): must be \(N, 8, 8, 1\)"),
        ({"data": DATA[0, 0, 0, 0]}, r"has an array \(\): must be \(N, 8, 8, 1\)"),
        ({"data": DATA[:0]}, "seen.npz has no data"),
        ({"images": DATA}, "has no array called data, but images"),
        ({"data": DATA / 255, "missing": MISSING}, "datum 1 of 2: what is given must be whole numbers from 0 to 255"),
        ({"data": DATA.astype(str)}, "datum 1 of 2: what is given must be an array of numbers"),
        ({"data": DATA, "missing": MISSING & False}, "datum 1 of 2: nothing is missing in it"),
        ({"data": DATA, "missing": MISSING[:1]}, r"missing must be true or false .*, and is bool \(1, 8, 8, 1\)"),
        ({"data": DATA, "missing": MISSING * 0.5}, r"missing must be true or false .*, and is float64 \(2, 8, 8, 1\)"),
        (None, "seen.npz: must be a .npy or .npz file of numbers"),
    ],
)
def test_what_cannot_be_is_said(
    model: Generator, monkeypatch: pytest.MonkeyPatch, content: dict[str, np.ndarray] | None, says: str
) -> None:
    if content is None:
        Path("seen.npz").write_bytes(b"PK\x03\x04 nothing")
    else:
        np.savez("seen.npz", **content)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"--given: .*{says}"):
        ask(monkeypatch, "--model model --given seen.npz --out made.npz")


def test_a_file_that_is_not_there_and_a_label(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^--given: no\.npy cannot be read: No such file or directory$"):
        ask(monkeypatch, "--model model --given no.npy")
    with pytest.raises(UserError, match=r"^--label '3': this model knows no labels: it completes the data of --given$"):
        ask(monkeypatch, "--model model --label 3")


def test_a_model_that_completes_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_generator().save("model")
    assert not isinstance(tiny_generator().conditioner, Given)
    with pytest.raises(UserError, match="this model is not told a part of the data"):
        ask(monkeypatch, "--model model --given seen.npz")
