"""The settings that each stage uses, with every `null` filled in.

A component stands under the name of its kind (`path`, `solver`, ...): by that its code is found. What only says which
data it is has another name than `dataset`, since it needs no code of that.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines import starts
from pipelines.inputs.components import own_class
from pipelines.params import Captions, Evaluate, Params, Part
from pipelines.params.sections import MOST_IMAGES

Settings = dict[str, Any]
CONDITIONER = {"conditioner": "labels"}
"""Whatever is prepared has labels beside it, if only none of them."""


TRAINED_BY = (
    "ema_decay",
    "gradient_clip",
    "seed",
    "accelerator",
    "devices",
    "strategy",
    "precision",
    "compile",
    "accumulate",
    "checkpoint_activations",
)
"""What an autoencoder's training has of the section `train`."""


OF_MEASUREMENTS = ("bounded", "divergence_free", "standardised")
"""Codecs of data that are no pictures: which one it is only the data say."""


def of_prepare(settings: Params, _: str) -> Settings:
    dataset = settings.dataset.model_dump(mode="json", exclude={"licence"})
    return {"dataset": dataset, **codecs(settings), **CONDITIONER}


def of_features(settings: Params, _: str) -> Settings:
    of_extractor = {name: getattr(settings.evaluate, name) for name in ("extractor", "extractor_weights")}
    condition = settings.dataset.condition
    encoder = condition.encoder if isinstance(condition, Captions) else None
    return {
        **of_extractor,
        "measures": settings.dataset.measures,
        **codecs(settings),
        **CONDITIONER,
        "encoder": encoder,
    }


def of_codec(settings: Params, _: str) -> Settings:
    """And the autoencoder (of_autoencoder)."""
    evaluate = {name: getattr(settings.evaluate, name) for name in ("extractor", "images", "sets", "seed")}
    made = {"made": {"codec": "latents"}, "measures": None}  # which are of data without codec.kind latents
    return {**of_prepared(settings), **evaluate, "most_images": MOST_IMAGES, **made}


def of_train(settings: Params, method: str) -> Settings:
    return {
        **of_network(settings, method),
        "objective": settings.methods[method].objective.choice,
        "train": settings.train.model_dump(mode="json"),
        **({} if (pairs := settings.methods[method].pairs) is None else {"pairs": pairs.count}),
    }


def of_pairs(settings: Params, method: str) -> Settings:
    row = settings.methods[method]
    assert row.pairs is not None
    assert row.start is not None
    of_start = of_network(settings, row.start)
    return {**of_start, "pairs": row.pairs.model_dump(mode="json"), "seed": settings.train.seed}


def of_evaluate(settings: Params, method: str) -> Settings:
    return {
        **of_network(settings, method),
        "evaluate": of_evaluation(settings.evaluate),
        "measures": settings.dataset.measures,
        "samplers": [each.model_dump(mode="json") for each in settings.methods[method].each_sampler()],
        **of_deciding(settings),
    }


def of_deciding(settings: Params) -> Settings:
    """With how many evaluations captions are followed, or data completed."""
    condition, nfe = settings.dataset.condition, settings.register_.nfe
    if isinstance(condition, Captions):
        return {"captions_at": nfe}
    return {"completed_at": nfe} if isinstance(condition, Part) else {}


def of_encode(settings: Params, _: str) -> Settings:
    return {**of_data(settings), **of_condition(settings)}


def of_network(settings: Params, method: str) -> Settings:
    """What a network of a method is, and what it says of which data."""
    row = settings.methods[method]
    return {
        **of_data(settings),
        **of_condition(settings),
        "network": row.network.model_dump(mode="json"),
        "path": row.objective.path,
        "source": row.objective.source,
        "target": row.objective.target,
        **({} if row.start is None else {"start": {"method": row.start, **of_network(settings, row.start)}}),
    }


def of_autoencoder(root: Path, settings: Params) -> Settings:
    """The autoencoder whose latents networks are trained on: how it is to be trained, or what lies in its folder.

    Raises:
        UserError: there is none.
    """
    chosen = settings.codec.model_dump(mode="json")
    if (folder := settings.codec.folder) is not None:
        found = starts.autoencoder(settings, folder, root)
        kept = {name: chosen[name] for name in ("sampled", "tile")}
        return {"autoencoder": found.choice, **kept, "content": starts.content(folder, root)}
    train = {name: getattr(settings.train, name) for name in TRAINED_BY}
    return {**chosen, "autoencoder": settings.codec.untrained, "train": train}


def of_original(root: Path, settings: Params, method: str) -> Settings:
    """What a network goes on from, where it does: what it is, and a digest of all that lies in its folder.

    Raises:
        UserError: there is none.
    """
    folder = settings.methods[method].start_from
    if folder is None:
        return {}
    found = starts.original(method, folder, root)
    made_for = found.native.model_dump(mode="json")
    return {"original": {"network": found.network, **made_for, "content": starts.content(folder, root)}}


def of_data(settings: Params) -> Settings:
    """Which data it is, and in what networks see of them."""
    latents = {"latents": {"codec": "latents", "encoded": {"codec": "encoded"}}} if settings.codec.of_latents else {}
    return {**of_prepared(settings), **latents}


def of_prepared(settings: Params) -> Settings:
    """Which data it is, and their codec; one's own dataset with its code, which whoever reads the data needs."""
    name = settings.dataset.name
    key = "data" if own_class("dataset", name) is None else "dataset"
    return {key: name, **codecs(settings), **CONDITIONER}


def codecs(settings: Params) -> Settings:
    """What the data may be read by: pictures as pixels, other data as pixels or by one of measurements, one's own by a
    codec of one's own."""
    of_pictures = {"codec": "pixels"} if own_class("dataset", settings.dataset.name) is None else {}
    coded = {f"or {name}": {"codec": name} for name in OF_MEASUREMENTS} if settings.dataset.is_coded else {}
    return {**of_pictures, **coded}


def of_condition(settings: Params) -> Settings:
    """What networks are told."""
    condition = settings.dataset.condition
    if isinstance(condition, Captions):
        return {"condition": {"conditioner": condition.kind, "encoder": condition.encoder}}
    if isinstance(condition, Part):
        return {"condition": {"conditioner": condition.choice, "encoder": None}}
    return {"condition": {"conditioner": condition, "encoder": None}}


def of_compare(settings: Params, _: str) -> Settings:
    everything = settings.model_dump(mode="json", by_alias=True, exclude={"dataset", "codec"})
    return {
        **of_data(settings),
        **of_condition(settings),
        **everything,
        "evaluate": of_evaluation(settings.evaluate),
        "measures": None,  # it shows what evaluate has measured
    }


def of_evaluation(chosen: Evaluate) -> Settings:
    """With what `test_split` comes to where that is large (Evaluate.count)."""
    return {**chosen.model_dump(mode="json"), "most_images": MOST_IMAGES}


OF_STAGE: dict[str, Callable[[Params, str], Settings]] = {
    "prepare": of_prepare,
    "features": of_features,
    "codec": of_codec,
    "encode": of_encode,
    "pairs": of_pairs,
    "train": of_train,
    "evaluate": of_evaluate,
    "compare": of_compare,
}
FOR_EACH_METHOD = ("train", "evaluate")
