"""params.yaml as it is written, changed in one place, and what cannot be written."""

import copy
from typing import Any

import yaml

from pipelines.project import ROOT

CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def changed(key: str, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    *parents, last = key.split(".")
    section = content
    for parent in parents:
        section = section[parent]
    section[last] = value
    return content


def sampler(**row: Any) -> dict[str, Any]:
    return {"solver": "ddim", "steps": [5], **row}


NO_SETTING = [
    ("train.lerning_rate", 1),
    ("images_seen", 1),
    ("methods.diffusion.objective.wieght", "flat"),
    ("methods.diffusion.sampler", []),
    ("network.widht", 32),
    ("network.widht", None),
    ("network.name", "unet"),
    ("methods.diffusion.network", {"kind": "transformer", "multipliers": [1]}),
]
NO_VALUE = [
    ("codec.kind", "latent"),
    ("codec.kl", -1),
    ("codec.autoencoder", "mine"),
    ("codec.autoencoder", {"kind": "autoencoder_kl", "width": 8}),
    ("network.kind", 0),
    ("network.kind", []),
    ("train.learning_rate", -1),
    ("train.learning_rate", True),
    ("train.seed", None),
    ("train.seed", True),
    ("train.accelerator", "cpuu"),
    ("train.precision", 33),
    ("train.strategy", "dpp"),
    ("train.average_lengths", [0.1, 0.5]),
    ("train.average_lengths", "long"),
    ("train.devices", 0),
    ("train.devices", "two"),
    ("train.devices", []),
    ("evaluate.sets", "many"),
    ("evaluate.sets", False),
    ("evaluate.images", 1),
    ("evaluate.images", "all"),
    ("evaluate.extractor", "vgg"),
    ("dataset.name", "cifar"),
    ("dataset.path", "a\0b"),
    ("dataset.condition", "caption"),
    ("dataset.condition", {"kind": "label"}),
    ("dataset.condition", {"kind": "first_frames", "count": 0}),
    ("dataset.condition", {"kind": "low_resolution", "count": 4}),
    ("dataset.condition", {"kind": "observed", "shape": [1, 8, 8]}),
    ("dataset.condition", {"kind": "text", "encoder": "bert"}),
    ("dataset.condition", {"kind": "text", "encoder": {"name": "minilm", "length": 0}}),
    ("register.model_name", "a/b"),
    ("network.kind", "unett"),
    ("network.width", 1_000_000),
    ("network.blocks", 1000),
    ("network.multipliers", [1, 1000]),
    ("methods", {}),
    ("methods.a-b", CONTENT["methods"]["diffusion"]),
    ("methods.diffusion.objective.path", "vp"),
    ("methods.diffusion.objective.path", {"name": "polynomial", "m": 2}),
    ("methods.diffusion.objective.path", {"name": "polynomial", "n": -1}),
    ("methods.diffusion.objective.target", "nois"),
    ("methods.diffusion.objective", {"name": "regresion", "path": "cond_ot"}),
    ("methods.diffusion.objective", {"name": "own.objectives:Huber"}),
    ("methods.diffusion.samplers", []),
    ("methods.diffusion.samplers", [sampler(solver=3)]),
    ("methods.diffusion.samplers", [sampler(steps=[0])]),
    ("methods.diffusion.samplers", [sampler(steps=[10**9])]),
    ("methods.diffusion.samplers", [sampler(steps=[True])]),
    ("methods.diffusion.samplers", [sampler(guidance=-1)]),
    ("methods.diffusion.samplers", [sampler(guidance={"by": "snapshot", "scale": 0})]),
    ("methods.diffusion.samplers", [sampler(grid={"name": "edm", "rho": 0})]),
]
