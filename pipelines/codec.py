"""Stage `codec`, where networks are trained on latents: the autoencoder that makes them, trained here or taken from a
folder, and what it loses of pictures that it has not seen. `python -m pipelines.codec`.
"""

import shutil
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fm import devices, evaluation, images
from fm.autoencoding import Autoencoding, Perceptual, Reconstruction
from fm.batches import Budget, Examples
from fm.codecs import Latents, Pixels
from fm.components import ANY
from fm.conditions import Unconditional
from fm.data.prepared import Prepared
from fm.data.rows import Some, evenly
from fm.images import Images
from fm.metrics.distances import moments
from fm.metrics.extractors import Floats, load
from fm.metrics.reconstruction import given_back
from fm.networks import Autoencoder
from fm.training import trainer
from fm.training.callbacks import Point, Totals
from fm.training.checkpoint_folders import remove, require_writable
from fm.training.processes import is_helper, launched
from fm.training.trainer import Keeping, Watching
from pipelines import finished, latents, params, starts
from pipelines.dataset import opened
from pipelines.hardware import hardware_of
from pipelines.machine import Moment
from pipelines.params import Params
from pipelines.program import run
from pipelines.project import (
    CHECKPOINTS_VARIABLE,
    CODEC,
    FEATURES,
    METRICS,
    PREPARED,
    cache_dir,
    checkpoints_elsewhere,
    checkpoints_place,
    compute_slot,
    whole_folder,
)
from pipelines.records import tracking
from pipelines.sample_sets import plan_of, reference
from pipelines.schemas.codec import CodecMetrics
from pipelines.schemas.evaluation import distance_key
from pipelines.stage import Stage, require_unchanged, running

FILE = METRICS / "codec.json"
OUTPUTS = [CODEC, FILE]
SHEET = "given-back.png"
STANDARDISED_BY = 2000
"""Training pictures whose latents are measured: enough for mean and deviation, and no second pass over millions."""
GIVEN_BACK = 500
"""Held-out pictures that are encoded and decoded, or as many as a sample set has where that is more."""


def main() -> None:
    """Make the codec, resuming the training that an earlier, killed run of the same stage has left."""
    if not params.load().codec.of_latents:
        raise params.ParamsError(f"{params.FILE}: codec.kind = pixels: only latents have a codec to be made")
    with running("codec") as stage:
        make(stage)


def make(stage: Stage) -> None:
    place = checkpoints_place()
    if place is not None and not is_helper():
        require_writable(place, CHECKPOINTS_VARIABLE)
    settings, dataset = params.load(), opened()
    params.require_enough(settings.evaluate, len(dataset.train), len(dataset.test))
    require_pictures(dataset)
    if is_helper():
        trained(settings, dataset, stage, None)
        return
    device = devices.pick(settings.train.accelerator)
    with compute_slot(device.type):
        if not launched() and finished.is_waiting(stage):
            finished.take(stage, OUTPUTS)
            forget(stage)
            return
        with tracking.stage_run(stage, settings.dataset.name) as tracked:
            log_settings(tracked, stage, settings)
            began = Moment.now()
            if settings.codec.folder is None:
                codec, totals = trained(settings, dataset, stage, tracked)
            else:
                codec, totals = taken(settings, dataset, settings.codec.folder), Totals()
            codec.to(device)
            started = time.perf_counter()
            some = Some(dataset.train, evenly(len(dataset.train), STANDARDISED_BY))
            codec = codec.fitted(some, together=settings.codec.scaling == "whole")
            totals = replace(totals, seconds=totals.seconds + time.perf_counter() - started)
            metrics = summarise(settings, dataset, codec, totals, began)
            require_unchanged(stage)
            write(dataset, codec, metrics)
            finished.keep(stage, OUTPUTS)
            tracked.metrics({"psnr": metrics.psnr, distance_key(metrics.extractor): metrics.distance}, 0)
            tracked.artifact(CODEC)
        # Last of all: until everything is written, a rerun finds the finished training here.
        forget(stage)


def require_pictures(dataset: Prepared) -> None:
    """Raises ParamsError: the data are none that autoencoders are of."""
    if not isinstance(dataset.codec, Pixels) or len(dataset.stored) != 3:
        raise params.ParamsError(
            f"{params.FILE}: codec.kind = latents: autoencoders are of pictures, and the data of {dataset.name} are "
            f"{list(dataset.stored)} of codec {dataset.codec.name}"
        )


def workspace(stage: Stage) -> Path:
    return cache_dir() / "checkpoints" / stage.name / stage.key


def forget(stage: Stage) -> None:
    """Remove what a training that has ended went on from."""
    if (elsewhere := checkpoints_elsewhere(stage.name, stage.key)) is not None:
        remove(elsewhere)
    if workspace(stage).exists():
        shutil.rmtree(workspace(stage))


def taken(settings: Params, dataset: Prepared, folder: str) -> Latents:
    """The codec of the autoencoder that lies in a folder."""
    starts.autoencoder(settings, folder)
    with starts.told("codec.autoencoder", folder):
        return Latents.in_folder(Path(folder), dataset.stored, **options(settings))


def trained(settings: Params, dataset: Prepared, stage: Stage, run: tracking.StageRun | None) -> tuple[Latents, Totals]:
    """The codec of an autoencoder that has learnt from the training split, and what that took."""
    chosen = settings.codec
    torch.manual_seed(settings.train.seed)
    autoencoding = Autoencoding.untrained(Autoencoder.of(chosen.untrained, ANY), adversarial=chosen.adversarial > 0)
    examples = Examples(dataset.train, dataset.codec, Unconditional())
    autoencoding.initialise(examples)
    elsewhere = checkpoints_elsewhere(stage.name, stage.key)

    def show(step: int, averaged: Autoencoding) -> None:
        if run is not None:
            run.image("given back", sheet(dataset, averaged.codec(dataset.stored, **options(settings))), step)

    totals = trainer.train(
        autoencoding,
        aim(settings),
        examples,
        budget(settings),
        Keeping(workspace(stage) / "last.ckpt", stage.key, settings.train.checkpoint_every, elsewhere=elsewhere),
        hardware_of(settings),
        Watching("codec", partial(report, run), show),
    )
    return autoencoding.codec(dataset.stored, **options(settings)), totals


def options(settings: Params) -> dict[str, Any]:
    """Of the codec, beside its autoencoder."""
    return {"sampled": settings.codec.sampled, "tile": settings.codec.tile}


def aim(settings: Params) -> Reconstruction:
    chosen, device = settings.codec, devices.pick(settings.train.accelerator)
    return Reconstruction(
        error=chosen.error,
        kl=chosen.kl,
        sampled=chosen.sampled,
        perceptual=Perceptual.of(load(FEATURES, device, ANY)) if chosen.perceptual else None,
        perceptual_weight=chosen.perceptual,
        adversarial=chosen.adversarial,
        adversarial_after=chosen.images_seen // 2,
        crop=chosen.crop,
    )


def budget(settings: Params) -> Budget:
    """The codec's own, averaged and clipped as the methods are."""
    chosen, common = settings.codec, settings.train
    return Budget(
        chosen.images_seen,
        chosen.batch_size,
        chosen.learning_rate,
        warmup_steps=min(100, chosen.images_seen // chosen.batch_size // 10),
        ema_decay=common.ema_decay,
        gradient_clip=common.gradient_clip,
        seed=common.seed,
    )


def sheet(dataset: Prepared, codec: Latents) -> Images:
    """Held-out pictures over what is given back of them, as many side by side as a screen shows."""
    columns = min(max(1024 // codec.stored[1], 4), 16)
    real: Images = dataset.test[evenly(len(dataset.test), columns)]["data"]
    return images.grid(np.concatenate([real, codec.decode(codec.encode(real))]), len(real))


def summarise(settings: Params, dataset: Prepared, codec: Latents, totals: Totals, began: Moment) -> CodecMetrics:
    device = devices.pick(settings.train.accelerator)
    extractor = load(FEATURES, device, ANY)
    train, test = moments(reference("train")), reference("test")
    plan, planned = plan_of(settings.evaluate, len(test)), budget(settings)
    rows = evenly(len(test), max(GIVEN_BACK, plan.count))
    given = given_back(codec, extractor, Some(dataset.test, rows))

    def distance(features: Floats) -> float:
        return evaluation.floor_of(features, train, plan, np.random.default_rng(plan.seed))

    low, high = np.percentile(given.psnr, (5, 95))
    return CodecMetrics(
        autoencoder=codec.autoencoder.name,
        factor=codec.autoencoder.factor,
        shape=list(codec.shape),
        parameters=sum(weight.numel() for weight in codec.network.parameters()),
        images_seen=planned.steps * planned.batch_size if settings.codec.folder is None else 0,
        seconds=totals.seconds,
        peak_memory_bytes=devices.peak_memory_bytes(),
        resumed=totals.resumed,
        device=devices.name(device),
        arithmetic=totals.arithmetic,
        given_back=len(rows),
        psnr=float(given.psnr.mean()),
        psnr_low=float(low),
        psnr_high=float(high),
        extractor=extractor.name,
        distance=distance(given.features),
        distance_real=distance(test[rows]),
        num_images=plan.count,
        seconds_per_encoded=given.encoding,
        seconds_per_decoded=given.decoding,
        machine_load=began.load(),
    )


def write(dataset: Prepared, codec: Latents, metrics: CodecMetrics) -> None:
    with whole_folder(CODEC) as folder:
        latents.write(codec, folder)
        images.save_png(sheet(dataset, codec), folder / SHEET)
    metrics.save(FILE)
    ratio = f"{metrics.psnr:.1f} dB ({metrics.psnr_low:.1f} to {metrics.psnr_high:.1f})"
    distance = f"{distance_key(metrics.extractor)} {metrics.distance:.2f} ({metrics.distance_real:.2f} as they are)"
    told = f"{metrics.given_back} held-out pictures are given back with {ratio} and {distance}"
    print(f"codec: latents {metrics.shape} of {list(codec.stored)}: {told}", flush=True)


def report(run: tracking.StageRun | None, point: Point, images_per_second: float) -> None:
    """One point of the training curve into MLflow."""
    if run is not None:
        values = {name: float(value) for name, value in point._asdict().items() if name != "step"}
        run.metrics(values | {"system/images_per_second": images_per_second}, point.step)


def log_settings(run: tracking.StageRun, stage: Stage, settings: Params) -> None:
    run.params({f"codec.{name}": value for name, value in settings.codec.model_dump().items()})
    run.dataset_input(settings.dataset.name, stage.data_md5, str(PREPARED))


if __name__ == "__main__":
    run(main)
