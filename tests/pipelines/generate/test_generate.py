import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fm import images
from fm.errors import TryLater, UserError
from pipelines.generate import __main__ as generate
from pipelines.project import ROOT
from pipelines.records import tracking
from pipelines.registry import model_version
from tests.fm.conftest import tiny_generator
from tests.ports import free_run


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    tiny_generator().save("model")


def command(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", *line.split()])
    generate.main()


def sheet(**sampling: object) -> np.ndarray:
    return images.grid(tiny_generator().sample(**sampling), columns=3).squeeze(2)  # type: ignore[arg-type]


def test_from_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--model model --label 3 --count 7 --seed 2 --steps 2 --solver euler --out bags.png")
    expected = sheet(num_images=7, seed=2, labels=[3] * 7, steps=2, solver="euler")
    assert np.array_equal(np.asarray(Image.open("bags.png")), expected)


@pytest.mark.parametrize("out", ["two.png", "two", "two.npz"])
def test_a_number_names_the_label_of_that_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    numbered = tiny_generator(label_names=("01", "02", "03"))
    numbered.save("numbered")
    command(monkeypatch, f"--model numbered --label 2 --count 2 --out {out}")
    assert "2 images of the label 02 " in capsys.readouterr().out
    if out.endswith(".png"):
        expected = images.grid(numbered.sample(2, 0, [1, 1]), 2).squeeze(2)
        assert np.array_equal(np.asarray(Image.open(out)), expected)
    elif out == "two":
        assert json.loads(Path("two/settings.json").read_text())["label"] == "02"


def test_all_labels_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--model model --count 8")
    assert np.array_equal(np.asarray(Image.open("images.png")), sheet(num_images=8, seed=0))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--model model --label bag", "no label 'bag'; the labels are 0, 1, 2"),
        ("--model no/where", "no/where is no generator"),
        ("--model model --count 1 --out nowhere/a.png", "can't write nowhere/a.png"),
        ("--model model --count 1 --solver edm", "solver edm on CondOT"),
        ("--model model --count 1 --solver jump", "jump needs a network that is told where a step ends, which this"),
    ],
)
def test_mistakes_are_told_in_a_line(monkeypatch: pytest.MonkeyPatch, line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        command(monkeypatch, line)


@pytest.mark.parametrize("line", ["--count 0", "--count 1.5", "--seed -1", "--steps 0", "--solver magic",
                                  "--out a.jpg", "--shard 1/2", "--shard 3/2 --out a", "--guidance 1 2 --out a.npz",
                                  "--interpolate 2 --out a", "--count 2000", "--interpolate 1 --guidance 1 2",
                                  "--guidance 1 2 3 --count 500"])  # fmt: skip
def test_impossible_options(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    with pytest.raises(SystemExit):
        command(monkeypatch, f"--model model {line}")


def test_champion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="fashion-mnist-generator has no version called champion: nothing is registered yet"
    ):
        command(monkeypatch, "--count 9")

    # A version need be no more than a folder with the generator where registration puts it.
    shutil.copytree("model", "registered/artifacts/generator")
    store = tracking.client()
    store.create_registered_model("fashion-mnist-generator")
    with pytest.raises(UserError, match="has no version called champion"):
        command(monkeypatch, "--count 9")
    fingerprint = {model_version.FINGERPRINT: model_version.fingerprint(Path("model"))}
    source = (tmp_path / "registered").as_uri()
    version = store.create_model_version("fashion-mnist-generator", source, tags=fingerprint)
    store.set_registered_model_alias("fashion-mnist-generator", "champion", version.version)
    for line in ("--count 9", "--count 9 --model 1", "--count 9 --model fashion-mnist-generator@1"):
        command(monkeypatch, line)
        assert np.array_equal(np.asarray(Image.open("images.png")), sheet(num_images=9, seed=0))
    for name, there in (("2", "version 2"), ("candidate", "version called candidate")):
        with pytest.raises(UserError, match=rf"no {there}: there are the versions 1; champion \(version 1\)"):
            command(monkeypatch, f"--count 9 --model {name}")


def test_an_mlflow_that_does_not_answer_may_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_run(1)}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TryLater, match="MLflow does not answer"):
        command(monkeypatch, "--count 9")


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_a_folder_is_the_same_whatever_the_number_of_shards(monkeypatch: pytest.MonkeyPatch, shards: int) -> None:
    for index in reversed(range(1, shards + 1)):
        command(monkeypatch, f"--model model --count 450 --seed 3 --out files --shard {index}/{shards}")
    made = {path.stem: np.asarray(Image.open(path)) for path in Path("files").glob("*.png")}
    assert sorted(made) == [f"{number:06d}" for number in range(450)]
    whole = tiny_generator().sample(600, 3, batch_size=200)
    assert np.array_equal(np.stack([made[name] for name in sorted(made)]), whole[:450, ..., 0])


def test_what_is_there_is_not_made_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command(monkeypatch, "--model model --count 250 --out files")
    before = files("files")
    for name in ("000003.png", "000249.png"):
        Path("files", name).unlink()
    times = {path: path.stat().st_mtime_ns for path in Path("files").iterdir()}
    command(monkeypatch, "--model model --count 260 --out files")
    assert "12 images written to files" in capsys.readouterr().out
    assert files("files").items() >= before.items()
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


@pytest.mark.parametrize("out", ["files", "arrays.npz"])
def test_images_of_other_settings_are_never_mixed(monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    command(monkeypatch, f"--model model --count 5 --seed 1 --out {out}")
    tiny_generator(seed=9).save("other")
    for line, key in (
        ("--model model --seed 2", "seed 1, not 2"),
        ("--model model --seed 1 --steps 3", "sampler"),
        ("--model model --seed 1 --label 4", "label 'all in turn', not '4'"),
        ("--model other --seed 1", "generator"),
    ):
        with pytest.raises(UserError, match=f"{out}: has images with {key}"):
            command(monkeypatch, f"{line} --count 5 --out {out}")


def test_a_folder_of_somebody_elses_files_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("files").mkdir()
    Path("files/holiday.png").write_text("mine")
    with pytest.raises(UserError, match="files: has files that were not made here"):
        command(monkeypatch, "--model model --count 5 --out files")


def test_arrays_in_shards(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command(monkeypatch, "--model model --count 450 --out arrays.npz --shard 2/2")
    assert "others are missing" in capsys.readouterr().out
    assert not Path("arrays.npz").exists()
    command(monkeypatch, "--model model --count 450 --out arrays.npz --shard 1/2")
    content = np.load("arrays.npz")
    assert np.array_equal(content["images"], tiny_generator().sample(600, 0, batch_size=200)[:450])
    assert content["labels"].tolist() == [number % 10 for number in range(450)]
    assert json.loads(str(content["settings"]))["count"] == 450
    assert not Path("arrays.npz.parts").exists()


def test_a_sweep_of_guidance_has_a_row_for_each_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--model model --guidance 1 2.5 --count 4 --label 2 --out sweep.png")
    rows = [tiny_generator().sample(4, 0, [2] * 4, guidance=scale) for scale in (1, 2.5)]
    assert np.array_equal(np.asarray(Image.open("sweep.png")), images.grid(np.concatenate(rows), 4).squeeze(2))
    with pytest.raises(UserError, match="guidance"):
        command(monkeypatch, "--model model --guidance 1 -2 --out sweep.png")


def test_an_interpolation_leads_from_one_seed_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--model model --seed 1 --interpolate 2 --count 3 --out between.png")
    sheet_of_it = np.asarray(Image.open("between.png")).astype(int)
    for column, seed in ((0, 1), (8, 2)):
        expected = images.grid(tiny_generator().sample(3, seed), 1).squeeze(2)
        assert np.abs(sheet_of_it[:, 9 * column : 9 * column + 10] - expected).max() <= 1
    with pytest.raises(
        UserError, match="--interpolate: ddpm draws noise of its own at every step; take another --solver"
    ):
        command(monkeypatch, "--model model --seed 1 --interpolate 2 --solver ddpm --out between.png")


def test_without_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_generator(label_names=()).save("unlabelled")
    command(monkeypatch, "--model unlabelled --count 5 --out arrays.npz")
    assert np.load("arrays.npz")["labels"].tolist() == [0] * 5
    with pytest.raises(UserError, match="no label '1': there are none"):
        command(monkeypatch, "--model unlabelled --label 1")
    with pytest.raises(UserError, match=r"guidance2: guidance leads away .* asked for nothing else: leave it at 1"):
        command(monkeypatch, "--model unlabelled --guidance 2")
