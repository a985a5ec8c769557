"""The whole pipeline on a folder of pictures without labels, as docs/own-images.md has it: with captions, in shards, by
the latents of an autoencoder that is trained on them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fm.autoencoder_folders import autoencoder_in
from tests.conftest import Project, checkout
from tests.fm.text.tiny import tiny_encoder

SETTINGS = {
    "dataset.name": "image-folder",
    "dataset.path": "pictures",
    "dataset.image_size": 16,
    "dataset.test_fraction": 0.4,
    "dataset.on_bad_image": "skip",
    "dataset.storage": "shards",
    "dataset.shard_megabytes": 0.02,
    "dataset.window_megabytes": 0.05,
    "codec.kind": "latents",
    "codec.autoencoder": {"kind": "autoencoder_kl", "block_out_channels": [8, 16], "norm_num_groups": 4},
    "codec.images_seen": 6400,
    "codec.learning_rate": 0.005,
    "train.images_seen": 1280,
    "train.batch_size": 64,
    "evaluate.images": None,
    "methods.flow_matching.samplers": [{"solver": "euler", "steps": [2, 10]}],
    "methods.diffusion.samplers": [{"solver": "ddim", "steps": [10]}],
}
AUTOENCODER = "artifacts/codec/diffusion_pytorch_model.safetensors"
MODEL = "artifacts/models/flow_matching/model.safetensors"


def nearest(colour: tuple[int, ...]) -> str:
    return "red" if colour[0] > colour[2] else "blue"


def picture(path: Path, seed: int) -> None:
    """A coloured disc on a coloured ground, with two captions in a file beside it, or with none by every tenth seed."""
    random = np.random.default_rng(seed)
    ground, disc = (tuple(random.integers(0, 256, 3).tolist()) for _ in range(2))
    if seed % 10:
        path.with_suffix(".txt").write_text(f"{nearest(disc)} heart\na {nearest(disc)} star", encoding="utf-8")
    image = Image.new("RGB", (40, 30), ground)
    x, y, radius = random.integers((8, 8, 4), (32, 22, 12)).tolist()
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), disc)
    image.save(path)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project after its first run on 220 pictures and a file that is none, and what the run printed."""
    project = checkout(tmp_path_factory.mktemp("own") / "project")
    folder = project.folder / "pictures"
    folder.mkdir()
    for seed in range(220):
        picture(folder / f"картинка {seed:03}.png", seed)
    (folder / "broken.jpg").write_text("no image")
    project.run("dvc", "add", "--quiet", "pictures")
    encoder = tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny")
    read = {"kind": "text", "encoder": {"name": "minilm", "place": str(encoder), "length": 8}}
    project.set_all(SETTINGS | {"dataset.condition": read})
    return project, project.run("python", "-m", "flows.pipeline").stdout


def changed(project: Project) -> set[str]:
    return set(json.loads(project.run("dvc", "status", "--json", "prepare").stdout.splitlines()[-1]))


def test_is_compared_and_registered(own: tuple[Project, str]) -> None:
    project, printed = own
    comparison = json.loads((project.folder / "reports/comparison.json").read_text())
    assert (comparison["extractor"], comparison["metric"]) == ("efficientnet_lite0", "fid_efficientnet_lite0")
    encoded = json.loads((project.folder / "metrics/encode.json").read_text())
    assert (encoded["captions"], encoded["without"]) == (4, 22)
    config = json.loads((project.folder / "artifacts/models/flow_matching/config.json").read_text())
    assert config["conditioner"]["name"] == "text"
    assert config["codec"]["name"] == "latents"
    assert "champion: version 1" in printed
    prepared = json.loads((project.folder / "metrics/prepare.json").read_text())
    assert prepared["train_images"] + prepared["test_images"] == 220
    manifest = json.loads((project.folder / "data/prepared/manifest.json").read_text())
    assert len(manifest["shards"]["train"]) > 3
    assert prepared["labels"] == 0
    assert prepared["skipped"] == [{"file": "broken.jpg", "reason": "no image that Pillow can read"}]
    page = (project.folder / "reports/report.html").read_text()
    assert "the two training images nearest to it" in page
    assert "a red star" in page.partition("Columns: ")[2].partition("<")[0]


def test_what_the_codec_loses_is_the_floor(own: tuple[Project, str]) -> None:
    project, _ = own
    codec = json.loads((project.folder / "metrics/codec.json").read_text())
    assert 5 < codec["psnr_low"] < codec["psnr"] < codec["psnr_high"]
    assert codec["shape"] == [4, 8, 8]
    comparison = json.loads((project.folder / "reports/comparison.json").read_text())
    assert comparison["codec_floor"] == codec["distance"] > codec["distance_real"] > 0
    page = (project.folder / "reports/report.html").read_text()
    assert "4 × 8 × 8 by autoencoder_kl" in page
    assert autoencoder_in(project.folder / "artifacts/models/diffusion/codec").factor == 2


def test_the_champion_makes_colour_images(own: tuple[Project, str]) -> None:
    project, _ = own
    project.run("python", "-m", "pipelines.generate", "--count", "3", "--out", "made/")
    made = [Image.open(path) for path in sorted((project.folder / "made").glob("*.png"))]
    assert [(image.mode, image.size) for image in made] == [("RGB", (16, 16))] * 3


def test_a_changed_added_or_removed_image_reruns_prepare(own: tuple[Project, str]) -> None:
    project, _ = own
    folder = project.folder / "pictures"
    first, extra = folder / "картинка 000.png", folder / "one more.png"
    before = first.read_bytes()
    assert changed(project) == set()
    picture(extra, 990)
    assert "prepare" in changed(project)
    extra.unlink()
    assert changed(project) == set()
    first.unlink()  # a link into DVC's cache, perhaps: never written through
    assert "prepare" in changed(project)
    picture(first, 980)
    assert "prepare" in changed(project)
    first.unlink()
    first.write_bytes(before)
    assert changed(project) == set()


def test_an_earlier_version_of_the_data_brings_back_what_came_of_it(own: tuple[Project, str]) -> None:
    """The autoencoder, and with it all that is trained in its latents."""
    project, _ = own
    autoencoder, model = (project.folder / file for file in (AUTOENCODER, MODEL))
    before = autoencoder.read_bytes(), model.read_bytes()
    extra = project.folder / "pictures" / "one more.png"
    picture(extra, 990)
    project.run("dvc", "repro", "codec")
    assert autoencoder.read_bytes() != before[0]
    extra.unlink()
    printed = project.run("dvc", "repro").stdout
    assert "Running stage 'codec" not in printed
    assert "Running stage 'train" not in printed
    assert (autoencoder.read_bytes(), model.read_bytes()) == before


def test_a_wrong_folder_is_one_line(own: tuple[Project, str]) -> None:
    project, _ = own
    settings = (project.folder / "params.yaml").read_text()
    project.set(dataset__path="nowhere")
    try:
        done = project.run("python", "-m", "flows.pipeline", check=False)
    finally:
        (project.folder / "params.yaml").write_text(settings)
    assert done.returncode == 1
    assert "dataset.path = 'nowhere': must be the folder with your images" in done.stdout
    assert "Traceback" not in done.stdout
