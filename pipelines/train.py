"""Stages `train@<method>`: one method's network under the common budget. `python -m pipelines.train diffusion`."""

import csv
import shutil
import sys
from functools import partial
from pathlib import Path

import torch

from fm import devices, sheets
from fm.batches import Examples
from fm.codecs import BESIDE as CODEC
from fm.components import parts
from fm.errors import UserError
from fm.generator import Generator
from fm.generator_files import CONFIG, WEIGHTS
from fm.networks import Network
from fm.networks.flops import flops_of_a_call
from fm.training import trainer
from fm.training.callbacks import Point, Totals
from fm.training.checkpoint_folders import remove, require_writable
from fm.training.processes import is_helper, launched
from fm.training.trainer import Hardware, Keeping, Watching
from pipelines import averages, finished, forecast, methods, params, snapshots, words
from pipelines.dataset import for_training, opened
from pipelines.hardware import hardware_of
from pipelines.machine import Moment
from pipelines.methods import Method
from pipelines.params import Params
from pipelines.program import run
from pipelines.project import (
    CHECKPOINTS_VARIABLE,
    CURVES,
    METRICS,
    MODELS,
    PREPARED,
    SNAPSHOTS,
    cache_dir,
    checkpoints_elsewhere,
    checkpoints_place,
    compute_slot,
    whole_file,
    whole_folder,
)
from pipelines.records import tracking
from pipelines.schemas.machine import Load
from pipelines.schemas.pairs import PairsMetrics
from pipelines.schemas.train import Before, TrainMetrics
from pipelines.stage import Stage, require_unchanged, running

SAMPLE_SEED = 1


def main(name: str) -> None:
    """Train the method of that name, resuming what an earlier, killed run of the same stage has left."""
    params.require_method(name)
    with running(f"train@{name}") as stage:
        train(stage, name)


def train(stage: Stage, name: str) -> None:
    place = checkpoints_place()
    if place is not None and not is_helper():
        require_writable(place, CHECKPOINTS_VARIABLE)
    settings = params.load()
    dataset = opened()
    params.require_seen(settings.evaluate, dataset.name, dataset.stored, dataset.train.kinds["data"][1])
    params.require_enough(settings.evaluate, len(dataset.train), len(dataset.test))
    examples = for_training(settings, dataset)
    every = methods.build(settings, examples)
    methods.try_all(every.values())
    method = every[name]
    workspace = cache_dir() / "checkpoints" / stage.name / stage.key
    hardware = hardware_of(settings)
    torch.manual_seed(settings.train.seed)
    generator = method.begun(hardware.needs_weights)
    before = cost_before(method)
    kept = settings.train
    elsewhere = checkpoints_elsewhere(stage.name, stage.key)
    lengths = tuple(kept.average_lengths)
    keeping = Keeping(workspace / "last.ckpt", stage.key, kept.checkpoint_every, kept.snapshots, elsewhere, lengths)
    if is_helper():
        fit(settings, method, examples, generator, keeping, hardware, None)
        return
    device = devices.pick(settings.train.accelerator)
    with compute_slot(device.type):
        # Looked at when its turn has come: what it waited for may have been the same training, whose DVC was killed.
        # torchrun's processes could not agree on it: another node may have another cache.
        if not launched() and finished.is_waiting(stage):
            finished.take(stage, outputs(name))
            forget(workspace, elsewhere)
            return
        with tracking.stage_run(stage, settings.dataset.name) as tracked:
            log_settings(tracked, stage, settings, method)
            foretell(settings, method, examples, generator, device, before)
            began = Moment.now()
            totals = fit(settings, method, examples, generator, keeping, hardware, tracked)
            metrics = summarise(settings, generator, totals, began.load(), before)
            require_unchanged(stage)
            write(name, generator, totals, metrics)
            snapshots.keep(
                name, workspace / "snapshots", metrics.images_seen, 0 if before is None else before.images_seen
            )
            averages.keep(name, workspace / "averages")
            finished.keep(stage, outputs(name))
            tracked.params(metrics.chosen())
            tracked.metrics({"peak_memory_bytes": float(metrics.peak_memory_bytes)}, metrics.steps)
            for file in (CONFIG, WEIGHTS, *([CODEC] if (MODELS / name / CODEC).is_dir() else [])):
                tracked.artifact(MODELS / name / file, "model")
        # Last of all: until everything is written, a rerun finds the finished training here.
        forget(workspace, elsewhere)


def forget(workspace: Path, elsewhere: str | None) -> None:
    """Remove what a training that has ended went on from."""
    if elsewhere is not None:
        remove(elsewhere)
    if workspace.exists():
        shutil.rmtree(workspace)


def outputs(method: str) -> list[Path]:
    return [MODELS / method, SNAPSHOTS / method, CURVES / f"{method}.csv", METRICS / "train" / f"{method}.json"]


def cost_before(method: Method) -> Before | None:
    """What the network that a method goes on from has cost, with the pairs that it made."""
    if method.start is None:
        return None
    made = None if method.pairs is None else PairsMetrics.of_stage(METRICS / "pairs" / f"{method.name}.json")
    return measured(method.start.name).behind(method.start.name, 0.0 if made is None else made.seconds)


def measured(method: str) -> TrainMetrics:
    """What a method's training has come to. Raises UserError where it has not been trained."""
    return TrainMetrics.of_stage(METRICS / "train" / f"{method}.json")


def foretell(
    settings: Params,
    method: Method,
    examples: Examples,
    generator: Generator,
    device: torch.device,
    before: Before | None,
) -> None:
    """Say what the budget comes to, and what later stages will refuse."""
    plan = methods.budget(settings)
    seconds = None  # several devices share a step in ways that one does not show
    if settings.train.devices == 1 and not launched():
        seconds = forecast.seconds_of_a_step(generator, method.objective, plan, method.examples(examples), device)
    told = forecast.sentences(plan, len(method.examples(examples).rows), seconds, method.pairs is not None)
    config = generator.config
    told += forecast.narrow(Network.of(config.network), generator.shape, parts(config.target)[0] == "data")
    if before is not None:
        seen = f"{before.images_seen:,} images in {words.duration(before.seconds)}"
        made = f" and made the pairs in {words.duration(before.pairs_seconds)}" if before.pairs_seconds else ""
        told.append(f"goes on from {before.method}, which has seen {seen}{made}")
    for name, row in settings.methods.items():
        if row.pairs is not None and row.start == method.name:
            told.append(f"then, for {name}: {forecast.of_pairs(row.pairs, generator.shape)}")
    try:
        params.require_nfe(settings)
    except params.ParamsError as error:
        told.append(f"warning: {error}; the comparison will refuse it")
    for line in told:
        print(f"train {method.name}: {line}", flush=True)


def fit(
    settings: Params,
    method: Method,
    examples: Examples,
    generator: Generator,
    keeping: Keeping,
    hardware: Hardware,
    run: tracking.StageRun | None,
) -> Totals:
    return trainer.train(
        generator,
        method.objective,
        method.examples(examples),
        methods.budget(settings),
        keeping,
        hardware,
        Watching(f"train {method.name}", partial(report, run, method.name), partial(show, run)),
    )


def report(run: tracking.StageRun | None, method: str, point: Point, images_per_second: float) -> None:
    """One point of the training curve into MLflow."""
    if run is None:
        return
    values = {name: float(value) for name, value in point._asdict().items() if name != "step"}
    # Beside the processor's load: trainings one after the other do not compare by their pace.
    pace = {"system/images_per_second": images_per_second}
    run.metrics(values | pace, point.step, whole={f"loss/{method}": point.loss})


def show(run: tracking.StageRun | None, step: int, generator: Generator) -> None:
    """What the averaged network makes of fixed noise, a sheet of it, into MLflow. All processes make it: each may have
    a part of the weights."""
    try:
        sheet = sheets.sheet(generator, SAMPLE_SEED, steps=10)
    except UserError as error:  # of a young network, in few steps; or no encoder: the training is well
        if run is not None:
            print(f"no samples are shown of step {step}: {error}", flush=True)
        return
    if run is not None:
        run.image("samples", sheet, step)


def summarise(
    settings: Params, generator: Generator, totals: Totals, load: Load, before: Before | None
) -> TrainMetrics:
    plan = methods.budget(settings)
    seen = plan.steps * plan.batch_size
    last_tenth = totals.curve[-max(len(totals.curve) // 10, 1) :]
    return TrainMetrics(
        images_seen=seen,
        steps=plan.steps,
        seconds=totals.seconds,
        images_per_second=seen / totals.seconds,
        peak_memory_bytes=devices.peak_memory_bytes(),
        final_loss=sum(point.loss for point in last_tenth) / len(last_tenth),
        parameters=sum(weight.numel() for weight in generator.network.parameters()),
        flops=flops_of_a_call(generator.network, generator.shape, generator.conditioner.read([None])),
        resumed=totals.resumed,
        device=devices.name(devices.pick(settings.train.accelerator)),
        arithmetic=totals.arithmetic,
        machine_load=load,
        before=before,
    )


def write(method: str, generator: Generator, totals: Totals, metrics: TrainMetrics) -> None:
    with whole_folder(MODELS / method) as folder:
        generator.save(folder)
    with whole_file(CURVES / f"{method}.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(Point._fields)
        rows.writerows(totals.curve)
    metrics.save(METRICS / "train" / f"{method}.json")


def log_settings(run: tracking.StageRun, stage: Stage, settings: Params, method: Method) -> None:
    kind, sizes = parts(method.config.network)
    row = settings.methods[method.name]
    chosen = {
        "method": method.name,
        **row.objective.model_dump(),
        **row.beginning,
        **{f"network.{name}": value for name, value in {"kind": kind, **sizes}.items()},
        **{f"train.{name}": value for name, value in settings.train.model_dump().items()},
    }
    run.params(chosen)
    run.dataset_input(settings.dataset.name, stage.data_md5, str(PREPARED))


if __name__ == "__main__":
    run(lambda: main(sys.argv[1]))
