"""Stage `encode`: what networks are trained on, where that is not what was prepared. `python -m pipelines.encode`.

Captions become the tokens that a frozen text encoder makes of them, and pictures the latents of the autoencoder that
stage `codec` has made.
"""

import shutil
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fm import devices
from fm.captions import seen
from fm.codecs import Encoded
from fm.conditions import Conditioner, Text, Unconditional
from fm.data.embedding import KEPT, captions_of, embed
from fm.data.encoding import encode as encode_pictures
from fm.data.prepared import Prepared, file_of
from fm.data.rows import evenly
from fm.encoded_data import CAPTIONS, DATA, write_index
from fm.errors import UserError
from fm.noise import Draws
from fm.text import Encoder
from pipelines import latents, params
from pipelines.dataset import opened
from pipelines.params import Captions, Params
from pipelines.program import run
from pipelines.project import ENCODED, METRICS, cache_dir, compute_slot, whole_folder
from pipelines.schemas.encode import EncodeMetrics
from pipelines.stage import Stage, require_unchanged, running

EXAMPLES = 10
"""Captions of the test split that a model is told: a sheet of samples has a column for each."""


def main() -> None:
    """Write data/encoded and metrics/encode.json.

    Raises:
        ParamsError: params.yaml has a mistake, or asks for nothing that would have to be encoded.
        UserError: there are no captions, no encoder or no autoencoder.
    """
    with running("encode") as stage:
        encode(stage)


def encode(stage: Stage) -> None:
    settings = params.load()
    dataset = opened()
    device = devices.pick(settings.train.accelerator)
    work = cache_dir() / "encoding" / stage.key
    with compute_slot(device.type), whole_folder(ENCODED) as folder:
        metrics = write(settings, dataset, folder, work, device)
        require_unchanged(stage)
    metrics.save(METRICS / "encode.json")
    tell(metrics)
    shutil.rmtree(work, ignore_errors=True)


def write(settings: Params, dataset: Prepared, folder: Path, work: Path, device: torch.device) -> EncodeMetrics:
    """Fill the folder; latents are kept in `work` on the way, for an attempt that is cut short."""
    condition = settings.dataset.condition
    if not settings.is_encoded:
        told = f"dataset.condition = {condition} and codec.kind = {settings.codec.kind}: nothing is to be encoded"
        raise params.ParamsError(f"{params.FILE}: {told}")
    conditioner: Conditioner = Unconditional() if condition == "none" else dataset.conditioner
    codec, found, seconds = None, dict[str, Any](), 0.0
    if isinstance(condition, Captions):
        began = time.perf_counter()
        conditioner, of_captions = write_captions(condition, dataset, folder, device)
        found |= of_captions
        seconds += time.perf_counter() - began
    if settings.codec.of_latents:
        codec, of_latents, spent = write_latents(dataset, folder, work, device)
        found |= of_latents
        seconds += spent
    write_index(folder, conditioner, codec)
    return EncodeMetrics(**found, seconds=seconds, peak_memory_bytes=devices.peak_memory_bytes())


def write_captions(
    condition: Captions, dataset: Prepared, folder: Path, device: torch.device
) -> tuple[Text, dict[str, Any]]:
    """What reads them, and what of the metrics is of them."""
    require_captions(dataset)
    encoder = Encoder.of(condition.encoder)
    text = replace(Text.by(encoder), examples=examples_of(dataset))
    made = embed(dataset, encoder, folder / CAPTIONS, cache_dir() / KEPT, device, partial(report, "captions"))
    return text, {"encoder": encoder.title, "length": encoder.length, **made._asdict()}


def write_latents(
    dataset: Prepared, folder: Path, work: Path, device: torch.device
) -> tuple[Encoded, dict[str, Any], float]:
    """Their codec, what of the metrics is of them, and the seconds that all of them have taken."""
    codec = Encoded.of_latents(latents.made())
    codec.to(device)
    seconds, size = 0.0, 0
    for split, rows in (("train", dataset.train), ("test", dataset.test)):
        file = folder / file_of(split, DATA)
        seconds += encode_pictures(rows, codec, file, work, partial(report, f"{split} pictures"))
        size += file.stat().st_size
    codec.to("cpu")
    return codec, {"latents": len(dataset.train) + len(dataset.test), "latents_bytes": size}, seconds


def require_captions(dataset: Prepared) -> None:
    """Raises UserError where no training image has one."""
    if not any(captions_of(dataset.train)):
        raise UserError(
            f"{params.FILE}: dataset.condition: text, but none of the {len(dataset.train):,} training images of "
            f"{dataset.name} has a caption: docs/own-images.md says where captions are looked for"
        )


def examples_of(dataset: Prepared) -> tuple[str, ...]:
    """Captions of the test split, one of each of some data that are spread over it."""
    rows = evenly(len(dataset.test), EXAMPLES)
    found = seen(dataset.test.captions(rows), Draws(0, rows.tolist()))
    return tuple(dict.fromkeys(caption for caption in found if caption))


def report(what: str, done: int, of: int) -> None:
    print(f"encode: {done:,} of {of:,} {what}", flush=True)


def tell(metrics: EncodeMetrics) -> None:
    if metrics.latents:
        print(f"{ENCODED}: the latents of {metrics.latents:,} pictures, {metrics.latents_bytes / 1e6:,.1f} MB")
    if metrics.encoder is not None:
        print(f"{ENCODED}: {metrics.captions:,} different captions, {metrics.tokens:,} tokens by {metrics.encoder}")
    if metrics.cut:
        print(f"warning: {metrics.cut:,} captions have more than {metrics.length} tokens, and are cut there")
    if metrics.without:
        print(f"{metrics.without:,} images have no caption: networks are told nothing of them")


if __name__ == "__main__":
    run(main)
