"""A generator as a folder that diffusers loads by its custom pipeline: code, configuration and safetensors."""

import inspect
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from fm.components import options_of
from fm.generator import Generator
from fm.networks import Network
from fm.networks.converted import unconverted
from pipelines.export import network_code
from pipelines.export.files import PORTABLE, count_of_labels, require_pixels, save
from pipelines.export.table import table_of

NETWORK = "network"  # the pipeline's component, its folder and its module


def write(generators: Sequence[Generator], folder: Path) -> None:
    """A generator with each of its samplers; they differ in that alone.

    Raises:
        UserError: something of it that diffusers' own classes and the code in the folder cannot do.
    """
    generator = generators[0]
    require_pixels(generator)
    labels = count_of_labels(generator)
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
            "until": generator.config.until,
        },
    )
    for name in ("pipeline.py", "walk.py"):
        shutil.copyfile(PORTABLE / name, folder / name)
    save(
        folder / "model_index.json",
        {
            "_class_name": ["pipeline", "GeneratorPipeline"],
            NETWORK: [NETWORK, "Network"],
            "labels": {"names": list(generator.conditioner.choices)},
            "samplers": samplers,
        },
    )


def options_in_full(network: Network) -> dict[str, Any]:
    """Every option of a network, and what follows from them."""
    follows = [name for name, _ in inspect.getmembers(type(network), lambda one: isinstance(one, property))]
    names = [*options_of(type(network)), *(name for name in follows if name != "choice")]
    return {name: getattr(network, name) for name in names}
