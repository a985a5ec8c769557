"""Images of texts, by the command: what is asked for is beside them, and in no name and no line unquoted."""

import io
import json
import shlex
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fm import images
from fm.data.folder_captions import FolderCaptions
from fm.data.folder_contents import look_into
from fm.errors import UserError
from fm.generator import Generator
from fm.text import EncoderError
from pipelines.generate import __main__ as generate
from pipelines.program import warnings_in_a_line
from tests.fm.conftest import tiny_generator
from tests.fm.text.tiny import HOSTILE, text_generator, tiny_encoder

EXAMPLES = ("the left bar", "a blue star")
BESIDE = {
    "sheet.png": [".json"],
    "files": ["/metadata.jsonl", "/settings.json", "/000000.png", "/000001.png"],
    "arrays.npz": [],
}
"""What is written besides what --out names."""
TWO = ("a red heart", "the star")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture
def model(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator:
    """Also in the folder `model` of the working directory."""
    monkeypatch.chdir(tmp_path)
    made = text_generator(encoder, EXAMPLES)
    made.save("model")
    return made


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", "--model", "model", *words])
    generate.main()


def ask(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    command(monkeypatch, *shlex.split(line))


def names() -> set[str]:
    """Of all that lies in the working directory."""
    return {str(path) for path in Path().rglob("*")}


def shown(file: str) -> np.ndarray:
    return np.asarray(Image.open(file))


def told(file: str) -> list[dict[str, object]]:
    return list(json.loads(Path(f"{file}.json").read_text())["pictures"])


def test_a_sheet_of_one_prompt(
    model: Generator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(monkeypatch, "--prompt 'a red heart' --count 4 --seed 2 --out hearts.png")
    made = model.sample(4, 2, ["a red heart"] * 4)
    assert np.array_equal(shown("hearts.png"), images.grid(made, 2).squeeze(2))
    assert capsys.readouterr().out == "4 images of 'a red heart' in hearts.png\n"
    assert told("hearts.png")[2] == {"row": 2, "column": 1, "prompt": "a red heart", "noise": 2, "guidance": 2.0}
    assert json.loads(Path("hearts.png.json").read_text())["seed"] == 2


def test_examples_in_turn_where_nothing_is_asked(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, "--count 4")
    assert np.array_equal(shown("images.png"), images.grid(model.sample(4, 0, EXAMPLES * 2), 2).squeeze(2))
    assert [one["prompt"] for one in told("images.png")] == [*EXAMPLES * 2]


def test_several_prompts_have_a_row_each_from_the_same_noise(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("more.txt").write_bytes(b"\xef\xbb\xbfthe star\r\n\n  \na red heart\n")
    ask(monkeypatch, "--prompt 'a bar' --prompts more.txt --count 3 --seed 5 --out rows.png")
    prompts = ["a bar", "the star", "a red heart"]
    rows = [model.sample(3, 5, [prompt] * 3) for prompt in prompts]
    assert np.array_equal(shown("rows.png"), images.grid(np.concatenate(rows), 3).squeeze(2))
    assert [(one["prompt"], one["noise"]) for one in told("rows.png")] == [(p, n) for p in prompts for n in range(3)]


def test_prompts_may_come_in(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("the star\nun cœur\n".encode())))
    ask(monkeypatch, "--prompts - --count 1 --out two.png")
    assert [one["prompt"] for one in told("two.png")] == ["the star", "un cœur"]


def test_a_grid_has_a_row_for_each_prompt_and_noise_and_a_column_for_each_scale(
    model: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where guidance is 1, there is none, and nothing is led away from."""
    ask(
        monkeypatch,
        "--prompt 'a red heart' --prompt 'the star' --negative blue --guidance 1 3 4.5 --count 2 --out grid.png",
    )
    away = model.away_from("blue")
    columns = {
        scale: np.concatenate([one.sample(2, 0, [prompt] * 2, guidance=scale) for prompt in TWO])
        for scale, one in ((1, model), (3, away), (4.5, away))
    }
    expected = np.stack([*columns.values()], axis=1).reshape(12, 8, 8, 1)
    assert np.array_equal(shown("grid.png"), images.grid(expected, 3).squeeze(2))
    assert not np.array_equal(columns[3], columns[4.5])
    assert told("grid.png")[5] == {"row": 2, "column": 3, "prompt": "a red heart", "noise": 1, "guidance": 4.5}
    content = json.loads(Path("grid.png.json").read_text())
    assert content["negative"] == "blue"
    assert content["sampler"]["steps"] == 2
    assert "guidance" not in content["sampler"]  # each picture has its own


@pytest.mark.filterwarnings("always")
def test_texts_that_are_cut_are_told_in_a_line(
    model: Generator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings(), warnings_in_a_line():
        monkeypatch.setattr(warnings, "showwarning", printed)  # which pytest keeps for itself
        ask(monkeypatch, "--prompt 'a red heart a red heart' --count 1")
    assert capsys.readouterr().err == "warning: 1 of 1 texts have more than 6 tokens, and are cut there\n"


def printed(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def test_a_sweep_and_an_interpolation_of_a_prompt(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, "--prompt 'the star' --guidance 1 2.5 --count 3 --out sweep.png")
    rows = [model.sample(3, 0, ["the star"] * 3, guidance=scale) for scale in (1, 2.5)]
    assert np.array_equal(shown("sweep.png"), images.grid(np.concatenate(rows), 3).squeeze(2))
    ask(monkeypatch, "--prompt 'the star' --interpolate 7 --count 1 --out between.png")
    first = images.grid(model.sample(1, 0, ["the star"]), 1).squeeze(2)
    assert np.abs(shown("between.png").astype(int)[:, :10] - first).max() <= 1


def test_a_negative_is_led_away_from(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, "--prompt 'the star' --negative 'a blue star' --count 1")
    expected = model.away_from("a blue star").sample(1, 0, ["the star"])
    assert np.array_equal(shown("images.png"), images.grid(expected, 1).squeeze(2))
    assert not np.array_equal(expected, model.sample(1, 0, ["the star"]))


def test_files_of_prompts_in_turn_and_what_they_are_of(
    model: Generator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("lines.txt").write_text("a red heart\nthe star\na bar\n")
    ask(monkeypatch, "--prompts lines.txt --out files")
    assert capsys.readouterr().out.endswith("3 images of 3 prompts written to files\n")
    rows = [json.loads(line) for line in Path("files/metadata.jsonl").read_text().splitlines()]
    texts = ["a red heart", "the star", "a bar"]
    assert rows == [{"file_name": f"{index:06d}.png", "text": text} for index, text in enumerate(texts)]
    made = model.sample(200, 0, (texts * 67)[:200])
    assert np.array_equal(np.stack([shown(f"files/{index:06d}.png") for index in range(3)]), made[:3, ..., 0])
    ask(monkeypatch, "--prompts lines.txt --count 4 --out files")
    before = Path("files/metadata.jsonl").read_bytes()
    assert len(before.splitlines()) == 4
    ask(monkeypatch, "--prompts lines.txt --count 2 --out files")
    assert Path("files/metadata.jsonl").read_bytes() == before
    for other in ("--prompt 'a red heart'", "--prompts lines.txt --negative blue"):
        with pytest.raises(UserError, match=r"^files: has images with (prompts|negative) "):
            ask(monkeypatch, f"{other} --out files")


def test_a_folder_of_images_of_texts_is_a_data_set_of_captioned_images(
    model: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(monkeypatch, *[f"--prompt={text}" for text in TWO], "--out", "files")
    said = FolderCaptions.of(look_into(Path("files")))
    assert said.faults == ()
    assert {name: [*captions.captions] for name, captions in said.said.items()} == {
        "000000.png": ["a red heart"],
        "000001.png": ["the star"],
    }


def test_arrays_and_their_texts(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, "--prompt 'a red heart' --prompt 'the star' --count 3 --out arrays.npz")
    with np.load("arrays.npz", allow_pickle=False) as content:
        assert sorted(content) == ["images", "settings", "texts"]
        assert json.loads(str(content["texts"])) == ["a red heart", "the star", "a red heart"]
        assert json.loads(str(content["settings"]))["prompts"] == [*TWO]


@pytest.mark.parametrize("out", ["sheet.png", "files", "arrays.npz"])
def test_a_prompt_is_data_whatever_it_looks_like(
    model: Generator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    there = names()
    for number, text in enumerate(HOSTILE):
        place = f"{number}-{out}"
        command(monkeypatch, f"--prompt={text}", f"--negative={text}x", "--count", "2", "--out", place)
        said = capsys.readouterr()
        assert all(line.isprintable() for line in (said.out + said.err).splitlines())
        assert len(said.out.splitlines()) == (1 if out == "sheet.png" else 2)
        beside = {name for name in names() if name.startswith(place)} - {place}
        assert beside == {f"{place}{name}" for name in BESIDE[out]}
        if out != "arrays.npz":
            written = Path(f"{place}{BESIDE[out][0]}").read_bytes()
            assert written.isascii()
            assert json.dumps(text).encode() in written
    assert len(names()) == len(there) + len(HOSTILE) * (1 + len(BESIDE[out]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label", "0"], "--label '0': this model knows no labels: ask it by --prompt"),
        (["--prompt", "a" * 10_001], "--prompt: a text of 10,001 characters is asked for: 10,000 at most"),
        (["--negative", "a" * 10_001], "--negative: a text of 10,001 characters is asked for: 10,000 at most"),
        (["--prompt", "a \udcff"], r"--prompt: 'a \udcff' is asked for, which is no text: surrogates not allowed"),
        (["--prompt", "a", "--negative", "b\n", "--guidance", "1"], "'b\\n' is to be led away from, but euler leads"),
        (["--prompts", "none.txt"], "--prompts: none.txt cannot be read: No such file or directory"),
        (["--prompts", "."], "--prompts: . cannot be read: Is a directory"),
        (["--prompts", "empty.txt"], "--prompts: empty.txt has no text: give one a line"),
        (["--prompts", "latin.txt"], "--prompts: latin.txt, line 2: must be UTF-8: invalid continuation byte"),
        (["--prompts", "long.txt"], "--prompts: long.txt, line 3: a text of 10,001 characters is asked for"),
    ],
)
def test_mistakes_are_told_in_a_line(
    model: Generator, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    Path("empty.txt").write_text("\n \n")
    Path("latin.txt").write_bytes(b"a heart\nun c\xe9l\xe8bre\n")
    Path("long.txt").write_text(f"a\nb\n{'a' * 10_001}\n")
    with pytest.raises(UserError) as raised:
        command(monkeypatch, *words)
    assert str(raised.value).startswith(message)
    assert str(raised.value).isprintable()
    assert not Path("images.png").exists()


@pytest.mark.parametrize("labels", [("cat", "dog"), ()])
def test_a_model_that_knows_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_generator(label_names=labels).save("model")
    instead = ": ask it by --label" if labels else " and no label"
    for option in ("--prompt", "--negative"):
        with pytest.raises(UserError, match=f"^{option}: this model knows no text{instead}$"):
            command(monkeypatch, option, "a red heart")


@pytest.mark.parametrize(
    "line",
    ["--prompt a --prompt b --interpolate 2", "--prompt a --prompt b --count 501",
     "--prompt a --prompt b --guidance 1 2 --count 251", "--prompt a --prompt b --guidance 1 2 --out files"],
)  # fmt: skip
def test_impossible_options(model: Generator, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    with pytest.raises(SystemExit):
        ask(monkeypatch, line)


def test_an_encoder_that_is_not_to_be_had_is_told_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tiny_encoder(tmp_path / "encoder")
    text_generator(folder).save("model")
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(EncoderError, match=rf"^text encoder {folder}: there is no such folder, and no .*FM_ENCODERS"):
        ask(monkeypatch, "--prompt 'a red heart'")
