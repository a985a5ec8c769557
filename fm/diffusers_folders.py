"""A folder that diffusers has written, read without diffusers: which network of ours it is, and its weights.

A pipeline's folder has the network in unet/ or transformer/ and its scheduler in scheduler/; a model's own has
config.json, and the scheduler's beside it. The scheduler says on which path the network was trained, and for what.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fm.components import Choice
from fm.components import read as checked
from fm.config import Native
from fm.errors import shown
from fm.generator_files import GeneratorError
from fm.weight_files import Shape, shapes, tensors

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "diffusion_pytorch_model.safetensors"
OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Of attention's weights, until diffusers 0.15."""
PREDICTIONS = {"epsilon": "noise", "sample": "data", "v_prediction": "v"}
AS_HERE: dict[Any, dict[str, Any]] = {
    "UNet2DModel": {
        "class_embed_type": None,
        "time_embedding_type": "positional",
        "time_embedding_dim": None,
        "act_fn": "silu",
        "downsample_type": "conv",
        "upsample_type": "conv",
        "mid_block_type": "UNetMidBlock2D",
    },
    "DiTTransformer2DModel": {
        "activation_fn": "gelu-approximate",
        "norm_type": "ada_norm_zero",
        "norm_elementwise_affine": False,
        "upcast_attention": False,
    },
}
"""What a configuration may say where there is one way here, by network."""
DEFAULTS: dict[Any, dict[str, Any]] = {
    "UNet2DModel": {"in_channels": 3, "sample_size": None},
    "DiTTransformer2DModel": {"in_channels": 4, "sample_size": 32},
}
"""diffusers' own of what says the shape of the data, by network."""
ONLY_THERE = {"sample_size", "in_channels", "out_channels", "num_train_timesteps", "norm_num_groups"}
"""What follows from the data, or is not used."""
NO_LABEL = "class_embedding.weight"
"""Whose last row is that of "no label"."""
KNOWN_PARTS = {"unet", "transformer", "scheduler"}
"""Of a pipeline: those that are read here."""
CODECS = ("vae", "vqvae", "vqmodel", "movq")
"""Parts that make latents of images, as pipelines call them; fm.autoencoder_folders reads the first."""


def is_one(folder: Path) -> bool:
    """Whether diffusers has written it.

    >>> is_one(Path("nowhere"))
    False
    """
    return any("_class_name" in (read_json(folder / name) or {}) for name in ("model_index.json", "config.json"))


def network_in(folder: Path) -> tuple[Choice, Native]:
    """Which network of ours it is (fm.networks), and what it was made for.

    Raises:
        GeneratorError: it is none that is known here; the message says what is.
    """
    require_no_others(folder)
    model, scheduler = places(folder)
    settings, schedule = required(model / "config.json"), required(scheduler / "scheduler_config.json")
    path, steps = path_of(schedule, scheduler / "scheduler_config.json")
    prediction = schedule.get("prediction_type", "epsilon")
    if not isinstance(prediction, str) or prediction not in PREDICTIONS:
        raise GeneratorError(
            f"{scheduler / 'scheduler_config.json'}: prediction_type = {shown(prediction)}: must be one of "
            f"{', '.join(PREDICTIONS)}"
        )
    try:
        network = checked("network", network_of(settings, model / "config.json") | {"timesteps": steps})
    except ValueError as error:
        raise GeneratorError(f"{model / 'config.json'}: {error}") from None
    return network, Native(path=path, target=PREDICTIONS[prediction])


def shape_in(folder: Path) -> tuple[int | None, ...]:
    """Channels and sides of its data; None for a side that it does not say.

    Raises:
        GeneratorError: one is no number.
    """
    file = places(folder)[0] / "config.json"
    settings = required(file)
    channels, sides = (settings.get(key, default) for key, default in DEFAULTS[settings["_class_name"]].items())
    height, width = sides if isinstance(sides, list) and len(sides) == 2 else (sides, sides)
    for key, one in (("in_channels", channels), ("sample_size", height), ("sample_size", width)):
        if not isinstance(one, int) and (one is not None or key == "in_channels"):
            raise GeneratorError(f"{file}: {key} = {shown(one)}: must be a whole number")
    return channels, height, width


def require_no_others(folder: Path) -> None:
    """That a pipeline is a network and a scheduler alone. Raises GeneratorError, with what else it has."""
    index = folder / "model_index.json"
    named = {key for key, value in (read_json(index) or {}).items() if isinstance(value, list) and any(value)}
    there = {name for name in CODECS if (folder / name).is_dir()}
    others = sorted(named - KNOWN_PARTS | there, key=lambda name: (name not in CODECS, name))
    other = next(iter(others), None)
    if other in CODECS:
        raise GeneratorError(
            f"{folder} has {other}: its data are latents of a {other}, and only networks of pixels can be gone on from"
        )
    if other is not None:
        raise GeneratorError(f"{index}: {other}: only a pipeline of a network and a scheduler can be gone on from")


def places(folder: Path) -> tuple[Path, Path]:
    """Where the network is, and where its scheduler."""
    model = next((folder / name for name in ("unet", "transformer") if (folder / name).is_dir()), folder)
    scheduler = folder / "scheduler"
    return model, scheduler if scheduler.is_dir() else folder


def network_of(settings: dict[str, Any], file: Path) -> dict[str, Any]:
    """The choice, with what is not diffusers' own default. Raises GeneratorError."""
    kind = settings.get("_class_name")
    if not isinstance(kind, str) or kind not in AS_HERE:
        raise GeneratorError(f"{file}: _class_name = {shown(kind)}: must be one of {', '.join(AS_HERE)}")
    given = {key: value for key, value in settings.items() if not key.startswith("_")}
    for key, value in AS_HERE[kind].items():
        if given.pop(key, value) != value:
            raise GeneratorError(f"{file}: {key} = {shown(settings[key])}: only {shown(value)} is known here")
    channels, out = given.get("in_channels"), given.get("out_channels")
    if out not in (None, channels) and (not isinstance(channels, int) or out != 2 * channels):
        raise GeneratorError(f"{file}: out_channels = {shown(out)}: must be in_channels, or twice as many")
    variances = {"variances": True} if isinstance(channels, int) and out == 2 * channels else {}
    made = of_unet(given) if kind == "UNet2DModel" else of_transformer(given)
    return {**made, **variances}


def of_unet(given: dict[str, Any]) -> dict[str, Any]:
    renamed = {
        "add_attention": "mid_attention",
        "attn_norm_num_groups": "mid_norm_groups",
        "resnet_time_scale_shift": "time_scale_shift",
    }
    options = {renamed.get(key, key): value for key, value in given.items() if key not in ONLY_THERE}
    classes = options.pop("num_class_embeds", None)
    groups = {"norm_num_groups": given["norm_num_groups"]} if "norm_num_groups" in given else {}
    return {"name": "diffusers_unet", **options, **groups, "classes": classes or 0}


def of_transformer(given: dict[str, Any]) -> dict[str, Any]:
    options = {key: value for key, value in given.items() if key not in ONLY_THERE}
    classes = options.pop("num_embeds_ada_norm", 1000)
    return {"name": "diffusers_transformer", **options, "classes": classes}


def path_of(schedule: dict[str, Any], file: Path) -> tuple[Choice, int]:
    """The chain that a scheduler walks along, and its steps. Raises GeneratorError."""
    if "beta_schedule" not in schedule:
        raise GeneratorError(f"{file}: has no beta_schedule: only a chain of noising steps can be gone on from")
    for key, wanted in (("trained_betas", None), ("rescale_betas_zero_snr", False)):
        if schedule.get(key, wanted) != wanted:
            raise GeneratorError(f"{file}: {key} = {shown(schedule[key])}: only {shown(wanted)} is known here")
    options = {"steps": schedule.get("num_train_timesteps", 1000), "schedule": schedule["beta_schedule"]}
    options |= {key: schedule[key] for key in ("beta_start", "beta_end") if key in schedule}
    try:
        chain = checked("path", {"name": "chain", **options})
    except ValueError as error:
        raise GeneratorError(f"{file}: {error}") from None
    ddpm = checked("path", {"name": "chain", "schedule": "linear", "steps": 1000, "beta_start": 1e-4, "beta_end": 0.02})
    return ("ddpm" if chain == ddpm else chain), options["steps"]


def weights_in(folder: Path) -> "dict[str, Tensor]":
    """By the names that our network has for them. Raises GeneratorError: they cannot be read."""
    found: dict[str, Tensor] = {}
    for file in weight_files(folder):
        found |= tensors(file)
    network, _ = network_in(folder)
    return with_no_label({present(name): value.float() for name, value in found.items()}, network)


def shapes_in(folder: Path) -> dict[str, Shape]:
    """Of those weights, without reading them. Raises GeneratorError: they cannot be."""
    found: dict[str, Shape] = {}
    for file in weight_files(folder):
        found |= {present(name): shape for name, shape in shapes(file).items()}
    network, _ = network_in(folder)
    if NO_LABEL in found and lacks_no_label(found[NO_LABEL], network):
        found[NO_LABEL] = (found[NO_LABEL][0] + 1, *found[NO_LABEL][1:])
    return found


def weight_files(folder: Path) -> list[Path]:
    """Those that hold the network's weights. Raises GeneratorError: there are none."""
    return files_of_weights(places(folder)[0])


def files_of_weights(model: Path) -> list[Path]:
    """Those beside a model's config.json. Raises GeneratorError: there are none."""
    index = model / f"{WEIGHTS}.index.json"
    if index.exists():
        return [model / name for name in listed(required(index).get("weight_map"), index)]
    if not (model / WEIGHTS).exists() and list(model.glob("*.bin")):
        raise GeneratorError(
            f"{model} has its weights as a pickle, which could run any code: save it once more by diffusers with "
            "save_pretrained(..., safe_serialization=True)"
        )
    return [model / WEIGHTS]


def listed(weight_map: object, index: Path) -> list[str]:
    """The files that an index names, each once. Raises GeneratorError: it names none, or one that lies elsewhere."""
    if not isinstance(weight_map, dict) or not weight_map:
        raise GeneratorError(f"{index}: weight_map = {shown(weight_map)}: must say for each weight which file has it")
    for weight, name in weight_map.items():
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise GeneratorError(
                f"{index}: weight_map.{weight} = {shown(name)}: must be the name of a .safetensors file beside it"
            )
    return sorted(set(weight_map.values()))


def present(name: str) -> str:
    """The name of a weight today.

    >>> present("mid_block.attentions.0.proj_attn.bias")
    'mid_block.attentions.0.to_out.0.bias'
    """
    if "." not in name:
        return name
    *before, module, kind = name.split(".")
    return ".".join([*before, OLD_NAMES.get(module, module) if "attentions" in before else module, kind])


def with_no_label(weights: "dict[str, Tensor]", network: Choice) -> "dict[str, Tensor]":
    """UNet2DModel need not know "no label", as ours has to: it begins as the mean of all labels."""
    import torch

    if NO_LABEL in weights and lacks_no_label(tuple(weights[NO_LABEL].shape), network):
        weights[NO_LABEL] = torch.cat([weights[NO_LABEL], weights[NO_LABEL].mean(dim=0, keepdim=True)])
    return weights


def lacks_no_label(shape: Shape, network: Choice) -> bool:
    return isinstance(network, dict) and shape[:1] == (network.get("classes"),)


def required(file: Path) -> dict[str, Any]:
    content = read_json(file)
    if content is None:
        raise GeneratorError(f"{file} is missing or damaged: a folder of diffusers has it")
    return content


def read_json(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
