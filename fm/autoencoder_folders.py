"""A folder with an autoencoder as diffusers has it: config.json and diffusion_pytorch_model.safetensors.

Those that diffusers has written are read, a pipeline's `vae/` too; what is written here, diffusers reads, if it has an
autoencoder like it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fm.components import known, options_of
from fm.diffusers_folders import WEIGHTS, files_of_weights, present, required
from fm.errors import shown
from fm.generator_files import CONFIG, GeneratorError
from fm.networks import Autoencoder
from fm.weight_files import Shape, tensors

if TYPE_CHECKING:
    from torch import Tensor

    from fm.networks.autoencoder_network import AutoencoderNetwork

KINDS = {
    "AutoencoderKL": "autoencoder_kl",
    "AutoencoderDC": "autoencoder_dc",
    "AutoencoderTiny": "autoencoder_tiny",
}
"""By the names of diffusers' classes."""
ONE_WAY: Mapping[str, Mapping[str, Any]] = {
    "AutoencoderKL": {"act_fn": "silu", "latents_mean": None, "latents_std": None},
    "AutoencoderDC": {"decoder_norm_types": "rms_norm", "decoder_act_fns": "silu", "decoder_conv_act_fn": "relu"},
    "AutoencoderTiny": {"act_fn": "relu", "upsample_fn": "nearest", "upsampling_scaling_factor": 2},
}
"""What a configuration may say where there is one way here."""
NOT_USED: Mapping[str, set[str]] = {
    "AutoencoderKL": {"sample_size", "force_upcast"},
    "AutoencoderDC": set(),
    "AutoencoderTiny": {"block_out_channels", "force_upcast", "latent_magnitude", "latent_shift"},
}
"""How large its training pictures were, that half precision is too little for it (here it computes in float32), and how
latents are kept in bytes."""
PLAIN = {"down_block_types": "DownEncoderBlock2D", "up_block_types": "UpDecoderBlock2D"}
"""Blocks without attention, which diffusers is told level by level."""


def autoencoder_in(folder: Path) -> Autoencoder:
    """Which one it is.

    Raises:
        GeneratorError: it is none that is known here; the message says what is not.
    """
    file = place(folder) / CONFIG
    settings = required(file)
    kind = settings.get("_class_name")
    kinds = KINDS | {name: name for name in known("autoencoder") if name not in KINDS.values()}
    if not isinstance(kind, str) or kind not in kinds:
        raise GeneratorError(f"{file}: _class_name = {shown(kind)}: must be one of {', '.join(kinds)}")
    unused = NOT_USED.get(kind, set())
    given = {key: value for key, value in settings.items() if not key.startswith("_") and key not in unused}
    for key, value in ONE_WAY.get(kind, {}).items():
        if given.pop(key, value) != value:
            raise GeneratorError(f"{file}: {key} = {shown(settings[key])}: only {shown(value)} is known here")
    for key, plain in PLAIN.items():
        if isinstance(widths := given.get("block_out_channels"), list) and given.get(key) == [plain] * len(widths):
            del given[key]
    channels = given.get("in_channels", 3)  # diffusers' own default, as that of out_channels
    if (out := given.pop("out_channels", channels if kind == "AutoencoderDC" else 3)) != channels:
        raise GeneratorError(f"{file}: out_channels = {shown(out)}: must be in_channels, {shown(channels)}")
    try:
        return Autoencoder.of({"name": kinds[kind], **given})
    except ValueError as error:
        raise GeneratorError(f"{file}: {error}") from None


def read(folder: Path) -> "tuple[Autoencoder, AutoencoderNetwork]":
    """With its weights (network_in). Raises GeneratorError."""
    autoencoder = autoencoder_in(folder)
    return autoencoder, network_in(folder, autoencoder)


def network_in(folder: Path, autoencoder: Autoencoder) -> "AutoencoderNetwork":
    """Its weights, in float32, whatever config.json says; not to be trained any further.

    Raises:
        GeneratorError: a weight is missing, of another size, not known or not finite, or a file is damaged.
    """
    from fm.finite import not_finite
    from fm.networks.sizes import sizes_alone

    where = place(folder)
    weights: dict[str, Tensor] = {}
    for file in files_of_weights(where):
        weights |= {present(name): value.float() for name, value in tensors(file).items()}
    with sizes_alone():
        network = autoencoder.build()
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    require_same(wanted, {name: tuple(value.shape) for name, value in weights.items()}, where)
    if wrong := next(not_finite(weights), None):
        raise GeneratorError(f"{where}: the weight {wrong} is not finite")
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def require_same(wanted: Mapping[str, Shape], found: Mapping[str, Shape], folder: Path) -> None:
    """Raises GeneratorError, with the first weight that is not as its autoencoder has it."""
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise GeneratorError(
                f"{folder}: its weights are not those of its autoencoder: {name} is {sized(found.get(name))}, and must "
                f"be {sized(wanted.get(name))}"
            )


def sized(shape: Shape | None) -> str:
    return "missing" if shape is None else str(list(shape))


def write(folder: Path, autoencoder: Autoencoder, network: "AutoencoderNetwork") -> None:
    """config.json and the weights; equal ones give equal bytes. One's own autoencoder is called as its choice is."""
    from safetensors.torch import save_file

    kind = next((theirs for theirs, ours in KINDS.items() if ours == autoencoder.name), autoencoder.name)
    options = {name: getattr(autoencoder, name) for name in options_of(type(autoencoder))}
    levels = len(options.get("block_out_channels", ()))
    blocks = {key: options[key] or [plain] * levels for key, plain in PLAIN.items() if key in options}
    settings = {"_class_name": kind, **options, **blocks}
    if autoencoder.name != KINDS["AutoencoderDC"]:
        settings["out_channels"] = autoencoder.in_channels
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights_of(network), folder / WEIGHTS, metadata={"format": "pt"})  # by which others know whose they are
    (folder / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def digest(network: "AutoencoderNetwork") -> str:
    """SHA-256 of all weights with their names and sizes, whatever file they lie in.

    >>> from fm.networks import AutoencoderKL
    >>> len(digest(AutoencoderKL(block_out_channels=(32,)).build()))
    64
    """
    found = hashlib.sha256()
    for name, value in sorted(weights_of(network).items()):
        found.update(f"{name} {list(value.shape)}\n".encode())
        found.update(value.numpy().astype("<f4", copy=False).tobytes())
    return found.hexdigest()


def weights_of(network: "AutoencoderNetwork") -> "dict[str, Tensor]":
    """In float32 on the CPU, as files have them."""
    return {name: value.detach().float().cpu().contiguous() for name, value in network.state_dict().items()}


def place(folder: Path) -> Path:
    """Where it lies: a pipeline has it in vae/."""
    return folder / "vae" if (folder / "vae").is_dir() else folder
