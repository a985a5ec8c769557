"""A generator as a folder that diffusers loads by its custom pipeline: code, configuration and safetensors."""

import inspect
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from fm.autoencoder_folders import KINDS
from fm.codecs import Codec, Latents, Pixels
from fm.components import options_of
from fm.conditions import Text
from fm.errors import UserError
from fm.generator import Generator
from fm.networks import Network
from fm.networks.converted import unconverted
from pipelines.export import network_code
from pipelines.export.files import PORTABLE, count_of_labels, require_codec, save, texts_of
from pipelines.export.table import table_of

NETWORK = "network"  # the pipeline's component, its folder and its module
DECODER = "vae"


def write(generators: Sequence[Generator], folder: Path) -> None:
    """A generator with each of its samplers; they differ in that alone.

    Raises:
        UserError: something of it that diffusers' own classes and the code in the folder cannot do.
    """
    generator = generators[0]
    require_codec(generator, Pixels, Latents)
    if len(generator.codec.stored) != 3:
        stored = "×".join(map(str, generator.codec.stored))
        raise UserError(f"--to diffusers takes pictures alone, and what this makes is {stored}")
    decoder = class_of_decoder(generator.codec)
    texts = texts_of(generator)
    labels = None if texts is not None else count_of_labels(generator)
    network = unconverted(generator.network)
    code = network_code.files_of(network)
    samplers = {str(one.config.sampler.steps): table_of(one) for one in generators}
    place = folder / NETWORK
    place.mkdir(parents=True)
    for name, text in code.items():
        (place / name).write_text(text, encoding="utf-8")
    weights = {f"{NETWORK}.{name}": value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, place / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    save(
        place / "config.json",
        {
            "_class_name": "Network",
            "options": options_in_full(Network.of(generator.config.network)),
            "shape": list(generator.shape),
            "labels": labels,
            "texts": None if texts is None else {"width": texts.width, "length": texts.encoder.length},
            "until": generator.config.until,
        },
    )
    if decoder is not None:
        generator.codec.save(folder / DECODER)
    for name in ("pipeline.py", "walk.py"):
        shutil.copyfile(PORTABLE / name, folder / name)
    save(
        folder / "model_index.json",
        {
            "_class_name": ["pipeline", "GeneratorPipeline"],
            NETWORK: [NETWORK, "Network"],
            DECODER: [None, None] if decoder is None else ["diffusers", decoder],
            "standardised": standardised(generator.codec),
            "labels": {"names": list(generator.conditioner.choices)},
            "texts": None if texts is None else said_of(texts),
            "samplers": samplers,
        },
    )


def class_of_decoder(codec: Codec) -> str | None:
    """What diffusers calls the autoencoder of latents; none for pixels. Raises UserError: it has none such."""
    if not isinstance(codec, Latents):
        return None
    name = next((theirs for theirs, ours in KINDS.items() if ours == codec.autoencoder.name), None)
    if name is None:
        raise UserError(f"diffusers has no autoencoder like {codec.autoencoder.name}: it has to stay here")
    return name


def standardised(codec: Codec) -> dict[str, Any] | None:
    """What decoding has to undo first (Latents.raw); nothing for pixels."""
    if not isinstance(codec, Latents):
        return None
    autoencoder = codec.autoencoder
    return {
        "mean": list(codec.mean),
        "deviation": list(codec.deviation),
        "scaling_factor": autoencoder.scaling_factor,
        "shift": autoencoder.shift,
    }


def said_of(texts: Text) -> dict[str, Any]:
    """Which encoder the network knows texts from, that does not come along, and what it makes of the empty one."""
    return {"encoder": texts.encoder.choice, "files": list(texts.sums), "empty": texts.empty}


def options_in_full(network: Network) -> dict[str, Any]:
    """Every option of a network, and what follows from them."""
    follows = [name for name, _ in inspect.getmembers(type(network), lambda one: isinstance(one, property))]
    names = [*options_of(type(network)), *(name for name in follows if name != "choice")]
    return {name: getattr(network, name) for name in names}
