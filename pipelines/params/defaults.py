"""What `null` stands for in params.yaml: pipelines/defaults/<dataset>.yaml, and what follows from other settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fm.components import ANY, find, label
from fm.data.dataset import CodedDataset
from fm.extractor_names import extractor_name
from pipelines.params.network import Network
from pipelines.schemas.evaluation import distance_key

FOLDER = Path(__file__).parents[1] / "defaults"


def filled_in(content: Any) -> Any:
    """What a params.yaml says, its nulls filled in. What is wrong with it stays as it is, for the check to tell."""
    if not isinstance(content, dict):
        return content
    defaults = of_dataset(value_of(content, "dataset", "name"))
    filled = {key: section_filled_in(section, defaults.get(key, {})) for key, section in content.items()}
    if "dataset" in filled:
        filled["dataset"] = options_filled_in(filled["dataset"], defaults["dataset"])
    filled["codec"] = codec_filled_in(content.get("codec", {}), defaults["codec"], filled.get("dataset"))
    if is_null(content, "train", "warmup_steps"):
        filled["train"]["warmup_steps"] = warm_up(filled["train"])
    if is_null(content, "register", "metric"):
        filled["register"]["metric"] = metric(value_of(filled, "evaluate", "extractor"))
    return with_networks(filled, defaults)


def of_dataset(name: Any) -> dict[str, Any]:
    """A dataset's defaults: those of its file, or a folder's of images with what one's own dataset says of itself.

    Where there is no such dataset they are any other's, since only its name is then to be told.
    """
    file = FOLDER / f"{name}.yaml"
    its_own = {} if file in FOLDER.iterdir() else of_ones_own(name)
    text = (FOLDER / "image-folder.yaml" if its_own else file).read_text(encoding="utf-8")
    defaults: dict[str, Any] = yaml.safe_load(text)
    return {**defaults, **{section: {**defaults.get(section, {}), **its_own[section]} for section in its_own}}


def of_ones_own(name: Any) -> dict[str, Any]:
    model_name = f"{label(str(name)).lower()}-generator"
    try:
        kind = find("dataset", name, ANY)
    except (TypeError, ValueError):
        kind = None
    its_own: dict[str, Any] = {**getattr(kind, "defaults", {})}
    if kind is not None and issubclass(kind, CodedDataset):  # whose data have a shape of their own
        its_own["dataset"] = {"image_size": None, "channels": None, **its_own.get("dataset", {})}
        its_own["evaluate"] = {"extractor": "space_time", **its_own.get("evaluate", {})}
    return {"register": {"model_name": model_name}, **its_own}


def section_filled_in(section: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(section, dict):
        return section
    return {key: defaults.get(key) if value is None else value for key, value in section.items()}


def options_filled_in(dataset: Any, defaults: Mapping[str, Any]) -> Any:
    """The section with what its defaults say of options that it does not give."""
    options = dataset.get("options") if isinstance(dataset, dict) else None
    if not isinstance(dataset, dict) or not isinstance(options, dict | None):
        return dataset
    return {**dataset, "options": {**(defaults.get("options") or {}), **(options or {})} or None}


def codec_filled_in(codec: Any, defaults: Mapping[str, Any], dataset: Any) -> Any:
    """The section, which may be left out, or say in part what it wants; an autoencoder is one of the images."""
    if not isinstance(codec, dict):
        return codec
    size, channels = (dataset.get(key) if isinstance(dataset, dict) else None for key in ("image_size", "channels"))
    fit = autoencoder(size if isinstance(size, int) else 0)
    filled = {"autoencoder": fit, **defaults, **{key: value for key, value in codec.items() if value is not None}}
    if isinstance(filled["autoencoder"], dict) and channels is not None:
        filled["autoencoder"] = {"in_channels": channels, **filled["autoencoder"]}
    return filled


def autoencoder(size: int) -> dict[str, Any]:
    """One that a CPU trains in minutes, of images of so many pixels a side: the larger they are, the more of them is a
    point of its latents, and the narrower it is where the grid is large.

    >>> autoencoder(32)["block_out_channels"], autoencoder(512)["block_out_channels"]
    ([32, 64, 64], [16, 32, 64, 64, 64])
    """
    halvings = 1 if size <= 16 else 2 if size <= 64 else 3 if size <= 256 else 4
    while size % 2**halvings:
        halvings -= 1
    widths = [32, 64] if size <= 256 else [16, 32]
    return {
        "kind": "autoencoder_kl",
        "block_out_channels": [*widths, *[64] * (halvings - 1)][: halvings + 1],
        "norm_num_groups": 8,
        "latent_channels": 4 if halvings < 4 else 8,
    }


def warm_up(train: Mapping[str, Any]) -> Any:
    """The usual number of steps, or half of a shorter training."""
    usual, seen, batch = train["warmup_steps"], train.get("images_seen"), train.get("batch_size")
    if not isinstance(seen, int) or not isinstance(batch, int) or batch < 1:
        return usual
    return min(usual, max(seen // batch // 2, 0))


def metric(extractor: Any) -> str:
    """The Frechet distance in an extractor's features; of one that cannot be none, and only it is then to be told."""
    try:
        return distance_key(extractor_name(extractor, ANY))
    except (TypeError, ValueError):
        return ""


def with_networks(content: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The common network and those of methods that have one, their sizes filled in by their kind."""
    filled = {**content}
    if "network" in content:
        filled["network"] = network_filled_in(content["network"], defaults)
    if isinstance(methods := content.get("methods"), dict):
        filled["methods"] = {name: row_filled_in(row, defaults) for name, row in methods.items()}
    return filled


def row_filled_in(row: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(row, dict) or row.get("network") is None:
        return row
    return {**row, "network": network_filled_in(row["network"], defaults)}


def network_filled_in(network: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(network, dict):
        return network
    kind = defaults["network"]["kind"] if network.get("kind") is None else network["kind"]
    sizes = defaults["networks"].get(kind, {}) if isinstance(kind, str) else {}
    return {
        **sizes,
        **{key: value for key, value in network.items() if value is not None or key not in Network.options()},
        "kind": kind,
    }


def value_of(content: Mapping[str, Any], section: str, key: str) -> Any:
    """What a section says, or None."""
    values = content.get(section)
    return values.get(key) if isinstance(values, dict) else None


def is_null(content: Mapping[str, Any], section: str, key: str) -> bool:
    values = content.get(section)
    return isinstance(values, dict) and key in values and values[key] is None
