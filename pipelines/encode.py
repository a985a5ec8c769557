"""Stage `encode`: what networks are trained on, where that is not what was prepared. `python -m pipelines.encode`.

Captions become the tokens that a frozen text encoder makes of them.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fm import devices
from fm.captions import seen
from fm.conditions import Text
from fm.data.embedding import captions_of, embed
from fm.data.prepared import Prepared
from fm.encoded_data import CAPTIONS, write_index
from fm.errors import UserError
from fm.noise import Draws
from fm.text import Encoder
from pipelines import params
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
        UserError: there are no captions, or no encoder.
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
    shutil.rmtree(work)


def write(settings: Params, dataset: Prepared, folder: Path, work: Path, device: torch.device) -> EncodeMetrics:
    """Fill the folder; what is made on the way is kept in `work`, for an attempt that is cut short."""
    condition = settings.dataset.condition
    if not isinstance(condition, Captions):
        raise params.ParamsError(f"{params.FILE}: dataset.condition = {condition}: nothing is to be encoded")
    require_captions(dataset)
    began = time.perf_counter()
    encoder = Encoder.of(condition.encoder)
    text = replace(Text.by(encoder), examples=examples_of(dataset))
    made = embed(dataset, encoder, folder / CAPTIONS, work, device, report)
    write_index(folder, text)
    return EncodeMetrics(
        encoder=encoder.title,
        length=encoder.length,
        captions=made.captions,
        tokens=made.tokens,
        cut=made.cut,
        without=made.without,
        seconds=time.perf_counter() - began,
    )


def require_captions(dataset: Prepared) -> None:
    """Raises UserError where no training image has one."""
    if not any(captions_of(dataset.train)):
        raise UserError(
            f"{params.FILE}: dataset.condition: text, but none of the {len(dataset.train):,} training images of "
            f"{dataset.name} has a caption: docs/own-images.md says where captions are looked for"
        )


def examples_of(dataset: Prepared) -> tuple[str, ...]:
    """Captions of the test split, one of each of some data that are spread over it."""
    rows = np.unique(np.linspace(0, len(dataset.test) - 1, EXAMPLES).astype(np.int64))
    found = seen(dataset.test.captions(rows), Draws(0, rows.tolist()))
    return tuple(dict.fromkeys(caption for caption in found if caption))


def report(done: int, of: int) -> None:
    print(f"encode: {done:,} of {of:,} captions", flush=True)


def tell(metrics: EncodeMetrics) -> None:
    print(f"{ENCODED}: {metrics.captions:,} different captions, {metrics.tokens:,} tokens by {metrics.encoder}")
    if metrics.cut:
        print(f"warning: {metrics.cut:,} captions have more than {metrics.length} tokens, and are cut there")
    if metrics.without:
        print(f"{metrics.without:,} images have no caption: networks are told nothing of them")


if __name__ == "__main__":
    run(main)
