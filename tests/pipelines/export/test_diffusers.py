"""What is exported makes the same images by diffusers, in a process that cannot import fm."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from fm.codecs import Latents
from fm.config import Config, Native, SamplerConfig
from fm.errors import UserError
from fm.generator import Generator
from fm.networks import AutoencoderKL
from pipelines.export import __main__ as export
from pipelines.export import to_diffusers
from pipelines.export.table import noise_of
from tests.fm.conftest import few_step_generator, tiny_generator
from tests.fm.text.tiny import text_generator, tiny_encoder

COUNT = 6
WITHOUT_FM = """
import json, sys
sys.modules |= dict.fromkeys(("fm", "pipelines"))  # importing either is an error
import numpy as np, torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging
logging.disable_progress_bar()
for folder in sys.argv[1:]:
    pipe = DiffusionPipeline.from_pretrained(
        folder, custom_pipeline=folder, trust_remote_code=True, use_safetensors=True
    )
    given = np.load(f"{folder}.npz")
    asked = json.loads(str(given["asked"]))
    asked |= {name: torch.from_numpy(given[name]) for name in given.files if name.endswith(("embeds", "mask"))}
    noise = [torch.from_numpy(one) for one in given["noise"]]
    np.save(f"{folder}.npy", pipe(latents=noise, output_type="np", **asked).images)
    np.save(f"{folder}-exact.npy", pipe(latents=noise, output_type="pt", **asked).images.numpy())
    first = pipe(num_images=2, generator=torch.Generator().manual_seed(0)).images
    again = pipe(num_images=2, generator=torch.Generator().manual_seed(0)).images
    assert [one.tobytes() for one in first] == [one.tobytes() for one in again], folder
    seeded = lambda *seeds: [torch.Generator().manual_seed(seed) for seed in seeds]
    each = pipe(labels=[None] * 2, generator=seeded(5, 3), output_type="pt").images
    alone = [pipe(labels=[None], generator=one, output_type="pt").images for one in seeded(5, 3)]
    assert torch.allclose(each, torch.cat(alone), atol=1e-4 * max(float(each.abs().max()), 1)), folder
    name = (pipe.config.labels["names"] or [None])[0]
    assert len(pipe(labels=name).images) == 1, folder
    C, *spatial = pipe.network.config.shape
    WRONG_TEXTS = [{"prompt_embeds": torch.zeros(2, 3, 16)}] if pipe.network.config.texts is None else [
        {"prompt_embeds": torch.zeros(2, 7, 16)},
        {"prompt_embeds": torch.zeros(2, 3, 15)},
        {"prompt_embeds": torch.zeros(2, 3, 16), "num_images": 3},
        {"prompt_embeds": torch.zeros(2, 3, 16), "prompt_attention_mask": torch.ones(2, 4)},
    ]
    for wrong in (
        {"num_inference_steps": 77},
        {"num_images": 2, "latents": torch.zeros(2, C, 4, 4)},
        {"num_images": 2, "latents": torch.zeros(3, C, *spatial)},
        {"num_images": 2, "latents": torch.zeros(2, C + 1, *spatial)},
        {"labels": []},
        {"labels": "35"},
        {"labels": [None, None], "num_images": 3},
        {"num_images": 0},
        {"num_images": -1},
        {"num_images": 3, "generator": [torch.Generator(), torch.Generator()]},
        *WRONG_TEXTS,
    ):
        try:
            pipe(**wrong)
        except ValueError as error:
            print(error)
        else:
            print("taken:", wrong)
"""


def on_another_path() -> Generator:
    """A network that predicts noise on DDPM's path, asked for the velocity on the straight one."""
    config = tiny_generator().config.model_copy(update={"native": Native(path="ddpm", target="noise")})
    generator = Generator.untrained(config.model_copy(update={"sampler": SamplerConfig(solver="midpoint", steps=3)}))
    for weight in generator.network.parameters():
        nn.init.normal_(weight, std=0.05)
    return generator


def made_by_diffusers(network: dict[str, Any], names: list[str]) -> Generator:
    """A network of the kind of those that start_from takes."""
    config = Config(
        path="ddpm",
        target="noise",
        network=network,
        codec={"name": "pixels", "stored": [8, 8, 1]},
        conditioner={"name": "labels", "names": names} if names else {"name": "none"},
        sampler={"solver": {"name": "ddim", "clip": "codec"}, "steps": 3},
    )
    torch.manual_seed(0)
    return Generator.untrained(config)


UNET = {"name": "diffusers_unet", "block_out_channels": [8, 8], "norm_num_groups": 4, "layers_per_block": 1}
DIT = {"name": "diffusers_transformer", "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1}
DDPM = SamplerConfig(solver={"name": "ddpm", "clip": "codec"}, steps=4, guidance=2.0)
PROMPTS = ["a red heart", "", "the star", "the left bar", "a red heart", "blue"]
NEGATIVE = "a blue star"
CASES: dict[str, tuple[list[Generator], dict[str, Any]]] = {
    "labels": ([tiny_generator(label_names=("cat", "dog"))], {"labels": ["dog", "cat", None] * 2}),
    "steps": ([tiny_generator().adjusted(steps, "euler") for steps in (1, 3)], {"num_inference_steps": 3}),
    "diffusion": ([tiny_generator("ddpm", "noise").with_sampler(DDPM)], {"num_images": COUNT}),
    "unlabelled": ([tiny_generator(label_names=())], {}),
    "diffusers_unet": ([made_by_diffusers(UNET, [])], {}),
    "diffusers_transformer": ([made_by_diffusers(DIT | {"classes": 2}, ["cat", "dog"])], {"labels": ["dog"] * COUNT}),
    "converted": ([on_another_path()], {}),
    "few_steps": ([few_step_generator()], {"num_images": COUNT}),
}


def generator_of_texts(root: Path) -> Generator:
    encoder = root / "encoder"
    return text_generator(encoder if encoder.is_dir() else tiny_encoder(encoder), ("the left bar", "a blue star"))


def generator_of_latents() -> Generator:
    torch.manual_seed(0)
    autoencoder = AutoencoderKL(
        in_channels=1, block_out_channels=(8, 16), norm_num_groups=4, latent_channels=2, shift_factor=0.1
    )
    network = autoencoder.build()
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    codec = Latents.around(autoencoder, network, (16, 24, 1), mean=(0.3, -0.2), deviation=(2.0, 1.5))
    generator = Generator.untrained(tiny_generator().config.model_copy(update={"codec": codec.choice}), codec=codec)
    for weight in generator.network.parameters():
        nn.init.normal_(weight, std=0.05)
    return generator


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Each case as a folder, and what the other process made of it and printed."""
    root = tmp_path_factory.mktemp("exported")
    for name, (generators, asked) in CASES.items():
        to_diffusers.write(generators, root / name)
        draw = noise_of(generators[-1], COUNT)
        noise = [draw().numpy() for _ in range(4)]  # as many as the longest stochastic sampler draws
        np.savez(root / f"{name}.npz", noise=noise, asked=json.dumps(asked | {"num_images": COUNT}))
    latents = generator_of_latents()
    to_diffusers.write([latents], root / "latents")
    np.savez(root / "latents.npz", noise=[noise_of(latents, COUNT)().numpy()], asked=json.dumps({"num_images": COUNT}))
    texts = generator_of_texts(root)
    to_diffusers.write([texts], root / "texts")
    prompts, negative = texts.conditioner.read(PROMPTS), texts.conditioner.read([NEGATIVE])
    np.savez(
        root / "texts.npz",
        noise=[noise_of(texts, COUNT)().numpy()],
        asked="{}",
        prompt_embeds=prompts["text"].numpy(),
        prompt_attention_mask=prompts["text_mask"].numpy(),
        negative_prompt_embeds=negative["text"][:, :5].numpy(),
        negative_prompt_attention_mask=negative["text_mask"][:, :5].numpy().astype(int),
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FM, *(str(root / name) for name in (*CASES, "texts", "latents"))],
        cwd=root,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | {"HF_HOME": str(root / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return root, done.stdout


@pytest.mark.parametrize("name", CASES)
def test_the_same_images_of_the_same_noise(made: tuple[Path, str], name: str) -> None:
    generators, asked = CASES[name]
    expected = generators[-1].sample(COUNT, seed=0, labels=asked.get("labels")).astype(int)
    found = np.load(made[0] / f"{name}.npy").astype(int)
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 1e-3
    exact, _ = generators[-1].sample_float(COUNT, seed=0, labels=asked.get("labels"))
    assert np.abs(np.load(made[0] / f"{name}-exact.npy") - exact.numpy()).max() < 1e-4 * max(
        float(exact.abs().max()), 1
    )
    assert expected.std() > 10  # a wrong factor would show


def test_texts_are_asked_for_by_their_embeddings(made: tuple[Path, str]) -> None:
    root, _ = made
    texts = generator_of_texts(root)
    found = np.load(root / "texts-exact.npy")
    expected, _ = texts.away_from(NEGATIVE).sample_float(COUNT, 0, PROMPTS)
    assert np.abs(found - expected.numpy()).max() < 1e-4 * max(float(expected.abs().max()), 1)
    assert not np.allclose(found, texts.sample_float(COUNT, 0, PROMPTS)[0].numpy(), atol=1e-2)
    index = json.loads((root / "texts" / "model_index.json").read_text())
    assert index["texts"]["encoder"]["name"] == "minilm"
    assert [line.split("  ")[1] for line in index["texts"]["files"]][1] == "model.safetensors"
    assert {path.name for path in (root / "texts").rglob("*.safetensors")} == {"diffusion_pytorch_model.safetensors"}


def test_latents_are_decoded_by_diffusers(made: tuple[Path, str]) -> None:
    expected = generator_of_latents().sample(COUNT, seed=0).astype(int)
    found = np.load(made[0] / "latents.npy").astype(int)
    assert expected.shape == (COUNT, 16, 24, 1)
    assert np.abs(found - expected).max() <= 1
    assert expected.std() > 10


def test_what_cannot_be_asked_for_is_told(made: tuple[Path, str]) -> None:
    _, said = made
    for line in (
        "num_inference_steps = 77: what was exported takes 1 or 3",
        "latents: (2, 1, 4, 4): must be (2, 1, 8, 8), as the images are",
        "latents: (3, 3, 8, 8): must be (2, 3, 8, 8), as the images are",
        "latents: (2, 2, 8, 8): must be (2, 1, 8, 8), as the images are",
        "labels: 0: must be at least 1",
        "no label '35': there are cat, dog",
        "labels: 2 for num_images = 3: must be one for each",
        "num_images: 0: must be at least 1",
        "num_images: -1: must be at least 1",
        "generator: 2 for 3 images: must be one, or one for each",
        "prompt_embeds: this network knows no text",
        "prompt_embeds: (2, 7, 16): must be (2, at most 6, 16): images, tokens, numbers of each",
        "prompt_embeds: (2, 3, 15): must be (2, at most 6, 16): images, tokens, numbers of each",
        "prompt_embeds: (2, 3, 16): must be (3, at most 6, 16): images, tokens, numbers of each",
        "prompt_attention_mask: (2, 4): must be (2, 3)",
    ):
        assert line in said.splitlines()
    assert "taken:" not in said


def test_weights_are_safetensors_and_nothing_else(made: tuple[Path, str]) -> None:
    files = {path.suffix for path in (made[0] / "labels").rglob("*") if path.is_file()}
    assert files == {".json", ".py", ".safetensors"}
    kept = load_file(made[0] / "labels" / "network" / "diffusion_pytorch_model.safetensors")
    network = CASES["labels"][0][0].network
    assert {name.removeprefix("network."): value.shape for name, value in kept.items()} == {
        name: tuple(value.shape) for name, value in network.state_dict().items()
    }


def ask(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["export", *arguments])
    export.main()


def test_a_folder_of_ours_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_generator().save(tmp_path / "ours")
    out = tmp_path / "out"
    ask(monkeypatch, str(tmp_path / "ours"), "--to", "diffusers", str(out), "--steps", "1", "4", "--solver", "euler")
    index = json.loads((out / "model_index.json").read_text())
    assert [(table["solver"], table["steps"]) for table in index["samplers"].values()] == [("euler", 1), ("euler", 4)]
    said = capsys.readouterr().out
    assert said.startswith("sampler: euler, steps: 1, 4\n")
    assert f'from_pretrained("{out}", custom_pipeline="{out}", trust_remote_code=True)' in said
    with pytest.raises(UserError, match="is there already"):
        ask(monkeypatch, str(tmp_path / "ours"), "--to", "diffusers", str(out))


def test_what_cannot_be_is_refused_and_nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_generator().save(tmp_path / "ours")
    for given, line in (
        (("--solver", "dopri5"), "dopri5 chooses its steps as it goes and cannot be exported: take another --solver"),
        (("--solver", "jump"), "jump needs a network that is told where a step ends, which this one is not: the objec"),
        (("--steps", "0"), "steps = 0: "),
        (("--guidance", "nan"), "guidance = nan: "),
    ):
        with pytest.raises(UserError, match=line):
            ask(monkeypatch, str(tmp_path / "ours"), "--to", "diffusers", str(tmp_path / "out"), *given)
    text_generator(tiny_encoder(tmp_path / "encoder")).save(tmp_path / "texts")
    with pytest.raises(
        UserError, match="only labels can be exported as a condition, and this has text; --to diffusers"
    ):
        ask(monkeypatch, str(tmp_path / "texts"), "--to", "torch", str(tmp_path / "out"))
    measured = tiny_generator()
    config = measured.config.model_copy(update={"codec": {"name": "standardised", "stored": [1, 8, 8]}})
    with pytest.raises(UserError, match="only pixels and latents can be exported so, and this makes standardised"):
        to_diffusers.write([Generator(config, measured.network)], tmp_path / "out")
    shared = measured.config.model_copy(update={"codec": tiny_generator().config.codec, "source": "shared"})
    with pytest.raises(UserError, match="only models of white noise can be exported, and this one's source is shared"):
        to_diffusers.write([Generator(shared, measured.network)], tmp_path / "out")
    own = tiny_generator()
    own.network = nn.Sequential(own.network)
    with pytest.raises(UserError, match="not of the library"):
        to_diffusers.write([own], tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"ours", "encoder", "texts"}
