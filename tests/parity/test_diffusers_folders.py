"""Held against diffusers 0.42.1: its networks with their schedulers, from folders that it has written.

Here they are converted to flow-matching ones and saved; sampled along their own chain they make what diffusers makes.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMScheduler, DiTTransformer2DModel, ModelMixin, UNet2DModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from fm.conditions import Label
from fm.config import Config, Native, SamplerConfig
from fm.diffusers_folders import network_in
from fm.generator import Generator, GeneratorError
from fm.networks import Network
from fm.paths import Chain
from fm.paths import Path as ProbabilityPath
from fm.solvers.gaussian import DDIM
from fm.starting import gone_on, original_in, shapes_in, take_weights, weights_in
from tests.parity.schedulers import time_at

SMALL: dict[str, Any] = {"sample_size": 8, "in_channels": 1, "out_channels": 1, "norm_num_groups": 4}
TWO = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
MIXED = {
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "AttnUpBlock2D"),
}
UNETS = {
    "ddpm": {
        **TWO, "block_out_channels": (8, 16), "attention_head_dim": None, "flip_sin_to_cos": False, "freq_shift": 1,
        "downsample_padding": 0, "norm_eps": 1e-6,
    },
    "mixed": {**MIXED, "block_out_channels": (8, 16, 24), "attention_head_dim": 4, "layers_per_block": 1},
    "scale_shift": {
        **TWO, "block_out_channels": (8, 16), "resnet_time_scale_shift": "scale_shift", "num_class_embeds": 10,
        "mid_block_scale_factor": 1.41, "center_input_sample": True,
    },
    "no_attention": {
        "down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",), "block_out_channels": (8,),
        "add_attention": False, "out_channels": 2,
    },
    "groups": {**TWO, "block_out_channels": (8, 16), "attn_norm_num_groups": 2},
}  # fmt: skip
DITS = {
    "plain": {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "patch_size": 2},
    "variances": {
        "num_attention_heads": 1, "attention_head_dim": 12, "num_layers": 1, "patch_size": 4, "attention_bias": False,
        "out_channels": 2,
    },
}  # fmt: skip
NETWORKS = [*((UNet2DModel, one) for one in UNETS.values()), *((DiTTransformer2DModel, one) for one in DITS.values())]
IDS = [*UNETS, *DITS]


def made(kind: type[ModelMixin], options: dict[str, Any]) -> ModelMixin:
    """Of random weights, none of them zero."""
    torch.manual_seed(0)
    own = {"num_embeds_ada_norm": 10, "norm_num_groups": 32} if kind is DiTTransformer2DModel else {}
    network = kind(**SMALL | own | options).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return network


def saved(network: ModelMixin, scheduler: DDPMScheduler, folder: Path) -> Path:
    """As a pipeline has them."""
    network.save_pretrained(folder / ("unet" if isinstance(network, UNet2DModel) else "transformer"))
    scheduler.save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline"}))
    return folder


def asked(network: ModelMixin, x: Tensor, k: Tensor, label: Tensor) -> Tensor:
    """What a network of diffusers says, of whatever it says of one datum the prediction."""
    knows = isinstance(network, DiTTransformer2DModel) or network.config.num_class_embeds
    said: Tensor = network(x, k, label if knows else None).sample[:, :1]
    return said


def flow(folder: Path, target: Path) -> Generator:
    """Gone on from what diffusers has written, as a flow-matching network in a folder of ours."""
    config = Config(
        path="cond_ot",
        target="velocity",
        network="unet",
        codec={"name": "pixels", "stored": [8, 8, 1]},
        conditioner={"name": "labels", "names": list("0123456789")},
        sampler=SamplerConfig(solver="euler", steps=10),
    )
    generator = Generator.untrained(gone_on(config, original_in(folder)))
    take_weights(generator, weights_in(folder))
    generator.save(target)
    return Generator.load(target)


@pytest.mark.parametrize(("kind", "options"), NETWORKS, ids=IDS)
@torch.no_grad()
def test_a_network_says_the_same(kind: type[ModelMixin], options: dict[str, Any], tmp_path: Path) -> None:
    theirs = made(kind, options).double()
    choice, _ = network_in(saved(theirs.float(), DDPMScheduler(), tmp_path))
    ours = Network.of(choice).build((1, 8, 8), {"label": Label(10)}).double().eval()
    ours.load_state_dict(weights_in(tmp_path))
    x, k, label = torch.randn(3, 1, 8, 8, dtype=torch.float64), torch.tensor([0, 500, 999]), torch.tensor([0, 4, 9])
    torch.testing.assert_close(
        ours(x, time_at(k), {"label": label}), asked(theirs.double(), x, k, label), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize(("kind", "options"), [NETWORKS[0], NETWORKS[2], NETWORKS[5]], ids=["unet", "labels", "dit"])
@torch.no_grad()
def test_a_flow_that_goes_on_makes_what_ddim_makes(
    kind: type[ModelMixin], options: dict[str, Any], prediction: str, tmp_path: Path
) -> None:
    """Before it is trained, along the chain; from a folder of ours, which has no use for diffusers."""
    network = made(kind, options)
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear", prediction_type=prediction, timestep_spacing="trailing", clip_sample=False
    )
    generator = flow(folder := saved(network, scheduler, tmp_path / "theirs"), tmp_path / "ours")
    assert shapes_in(folder) == {name: tuple(value.shape) for name, value in weights_in(folder).items()}
    x, label = torch.randn(3, 1, 8, 8), torch.tensor([0, 4, 9])
    scheduler.set_timesteps(10)
    theirs = x
    for k in scheduler.timesteps:
        theirs = scheduler.step(asked(network, theirs, k.expand(3), label), k, theirs).prev_sample

    chain = Chain(schedule="scaled_linear")
    along = generator.with_sampler(SamplerConfig(solver="ddim", steps=10, path=chain.choice)).field(label.tolist())
    times = torch.cat([time_at(scheduler.timesteps), torch.ones(1, dtype=torch.float64)])
    torch.testing.assert_close(DDIM()(along.ends, chain, x, times), theirs, rtol=1e-3, atol=1e-3)
    assert generator.config.native is not None
    assert generator.path == ProbabilityPath.of("cond_ot")


SCHEDULES = ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"]


@pytest.mark.parametrize("steps", [1000, 50])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_chain_has_the_schedulers_betas(schedule: str, steps: int, tmp_path: Path) -> None:
    scheduler = DDPMScheduler(num_train_timesteps=steps, beta_schedule=schedule, beta_end=0.015)
    _, native = network_in(saved(made(*NETWORKS[0]), scheduler, tmp_path))
    path = ProbabilityPath.of(native.path)
    t = 1 - torch.arange(1, steps + 1, dtype=torch.float64) / steps
    torch.testing.assert_close(path.alpha(t).square(), scheduler.alphas_cumprod.double(), rtol=2e-4, atol=1e-7)
    assert path.alpha(torch.ones(1)) == 1


def test_ddpms_own_chain_is_called_so(tmp_path: Path) -> None:
    _, native = network_in(saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path))
    assert native == Native(path="ddpm", target="noise")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            {"vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["a", "B"]},
            "has vae: its data are latents of a vae,",
        ),
        (
            {"vqvae": ["diffusers", "VQModel"]},
            "its data are latents of a vqvae, and only networks of pixels can be gone on from",
        ),
        ({"text_encoder": ["transformers", "CLIPTextModel"]}, r"model_index\.json: text_encoder: only a pipeline of"),
        ({"safety_checker": [None, None], "id2label": {"0": "cat"}}, None),
    ],
)
def test_a_pipeline_with_other_parts_is_told(parts: dict[str, Any], told: str | None, tmp_path: Path) -> None:
    folder = saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path)
    edited(folder / "model_index.json", unet=["diffusers", "UNet2DModel"], scheduler=["diffusers", "S"], **parts)
    if told is None:
        original_in(folder)
    else:
        with pytest.raises(GeneratorError, match=told):
            original_in(folder)


def test_a_folder_of_a_vae_beside_the_network_is_told(tmp_path: Path) -> None:
    folder = saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path)
    (folder / "vae").mkdir()
    with pytest.raises(GeneratorError, match="its data are latents of a vae"):
        original_in(folder)


def test_names_of_before_are_known(tmp_path: Path) -> None:
    """As google/ddpm-cifar10-32 has them."""
    folder = saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path)
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    now, old = load_file(file), {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    before = dict(now)
    for new, name in old.items():
        before = {key.replace(f".{new}.", f".{name}."): value for key, value in before.items()}
    assert before.keys() != now.keys()
    save_file(before, file)
    assert weights_in(folder).keys() == now.keys()
    assert shapes_in(folder) == {name: tuple(value.shape) for name, value in now.items()}


def edited(file: Path, **values: Any) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in (content | values).items() if value != "gone"}))


@pytest.mark.parametrize(
    ("file", "values", "told"),
    [
        ("unet/config.json", {"time_embedding_type": "fourier"}, "time_embedding_type = 'fourier': only 'positional'"),
        ("unet/config.json", {"down_block_types": ["SkipDownBlock2D"] * 2}, "down_block_types = .*must be a list"),
        ("unet/config.json", {"_class_name": "UNet2DConditionModel"}, "must be one of UNet2DModel, DiTTransformer2DM"),
        ("unet/config.json", {"new": 1}, "has no option 'new'"),
        ("unet/config.json", {"out_channels": 3}, "out_channels = 3: must be in_channels, or twice as many"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "gone"}, "has no beta_schedule"),
        ("scheduler/scheduler_config.json", {"rescale_betas_zero_snr": True}, "only False is known"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "'flow': must be one of epsilon, sample"),
        ("unet/config.json", {"_class_name": ["UNet2DModel"]}, r"_class_name = \['UNet2DModel'\]: must be one of"),
        ("unet/config.json", {"num_class_embeds": [10]}, r"classes = \[10\]: must be"),
        ("scheduler/scheduler_config.json", {"prediction_type": ["epsilon"]}, r"prediction_type = \['epsilon'\]: must"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": [1000]}, r"steps = \[1000\]: must be"),
        ("scheduler/scheduler_config.json", {"beta_schedule": ["linear"]}, r"schedule = \['linear'\]: must be"),
        ("scheduler/scheduler_config.json", {"beta_start": -1}, "beta_start = -1: must be a number above 0"),
    ],
)
def test_what_is_not_known_is_told(file: str, values: dict[str, Any], told: str, tmp_path: Path) -> None:
    folder = saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path)
    edited(folder / file, **values)
    with pytest.raises(GeneratorError, match=told):
        original_in(folder)


def test_a_folder_that_lacks_something_is_told(tmp_path: Path) -> None:
    folder = saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path)
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(GeneratorError, match="as a pickle, which could run any code: save it once more"):
        weights_in(folder)
    weights.write_bytes(b"none")
    with pytest.raises(GeneratorError, match="is damaged"):
        weights_in(folder)
    shutil.rmtree(folder / "scheduler")
    with pytest.raises(GeneratorError, match=r"scheduler_config\.json is missing"):
        original_in(folder)


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ({}, r"index\.json: weight_map = None: must say for each weight"),
        ({"weight_map": ["a"]}, r"weight_map = \['a'\]: must say"),
        ({"weight_map": {"a.weight": "../../x.safetensors"}}, r"weight_map\.a\.weight = '\.\./.*: must be the name of"),
        ({"weight_map": {"a.weight": ["x"]}}, r"weight_map\.a\.weight = \['x'\]: must be the name of"),
        ({"weight_map": {"a.weight": ".."}}, r"= '\.\.': must be the name of a \.safetensors file beside it"),
        ([], r"index\.json is missing or damaged"),
    ],
)
def test_an_index_of_weights_names_files_beside_it(index: object, told: str, tmp_path: Path) -> None:
    for file, content in (("model_index", {"_class_name": "DDPMPipeline"}), ("unet/config", {})):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / f"{file}.json").write_text(json.dumps(content))
    (tmp_path / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(GeneratorError, match=told):
        weights_in(tmp_path)


def test_a_weight_without_a_module_and_a_folder_in_the_weights_place(tmp_path: Path) -> None:
    folder = saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path)
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    save_file({"alone": torch.zeros(2)}, weights)
    assert weights_in(folder).keys() == {"alone"}
    weights.unlink()
    weights.mkdir()
    with pytest.raises(GeneratorError, match=r"diffusion_pytorch_model\.safetensors must be a file with weights"):
        weights_in(folder)


def test_other_data_are_told(tmp_path: Path) -> None:
    folder = saved(
        made(UNet2DModel, {**TWO, "block_out_channels": (8, 16), "num_class_embeds": 4}), DDPMScheduler(), tmp_path
    )
    with pytest.raises(ValueError, match="knows 4 labels, and the data have 10: they must be the same"):
        flow(folder, tmp_path / "ours")


@pytest.mark.parametrize(("kind", "options"), [NETWORKS[0], NETWORKS[5]], ids=["unet", "dit"])
@pytest.mark.parametrize(
    ("values", "shape"),
    [({"sample_size": 16}, "1, 16, 16"), ({"sample_size": [8, 16]}, "1, 8, 16"), ({"in_channels": 3}, "3, 8, 8")],
)
def test_data_of_another_shape_are_told(
    kind: type[ModelMixin], options: dict[str, Any], values: dict[str, Any], shape: str, tmp_path: Path
) -> None:
    folder = saved(made(kind, options), DDPMScheduler(), tmp_path)
    (file,) = folder.glob("*/config.json")
    edited(file, **values, out_channels=values.get("in_channels", 1))
    with pytest.raises(
        ValueError, match=rf"for data of shape \[{shape}\], by its in_channels and .*, and these are of \[1, 8, 8\]"
    ):
        flow(folder, tmp_path / "ours")
    edited(file, sample_size="16")
    with pytest.raises(GeneratorError, match="sample_size = '16': must be a whole number"):
        original_in(folder)


def test_a_unet_that_does_not_say_its_size_has_any(tmp_path: Path) -> None:
    folder = saved(made(*NETWORKS[0]), DDPMScheduler(), tmp_path / "theirs")
    edited(folder / "unet" / "config.json", sample_size=None)
    flow(folder, tmp_path / "ours")


def test_a_pipeline_of_diffusers_is_read_as_it_saves_itself(tmp_path: Path) -> None:
    DDIMPipeline(made(*NETWORKS[0]), DDIMScheduler()).save_pretrained(tmp_path / "theirs")
    assert flow(tmp_path / "theirs", tmp_path / "ours").config.native == Native(path="ddpm", target="noise")
