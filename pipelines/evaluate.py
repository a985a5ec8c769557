"""Stages `evaluate@<method>`: how far a method's images are from the real ones, by solver and number of
network evaluations. `python -m pipelines.evaluate diffusion`.

Several devices share the drawing: the stage starts a process for each GPU of its machine, or torchrun starts them, on
one machine or several. The first process measures what all have drawn; the others know of nothing else.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch

from fm import devices, work_queue
from fm.config import SamplerConfig
from fm.evaluation import CONFIDENCE, Reference
from fm.generator import Generator
from fm.metrics.completing import complete, is_given_a_part
from fm.networks.compiled import COMPILING
from fm.work_queue import Workers
from pipelines import averages, completing, params, snapshots
from pipelines.bench import Bench
from pipelines.following import deciding, follow, is_told_captions
from pipelines.measuring import Protocol, measures_of
from pipelines.params import Evaluate, Params
from pipelines.program import run
from pipelines.project import METRICS, PREPARED, SAMPLES, compute_slot, whole_folder
from pipelines.records import tracking
from pipelines.rehearsal import rehearse
from pipelines.sample_grids import save_grid
from pipelines.sample_sets import plan_of, real_reference, sharers
from pipelines.schemas.evaluation import (
    Completion,
    Evaluation,
    EvaluationRow,
    Following,
    Lengths,
    Snapshot,
    distance_key,
)
from pipelines.stage import Stage, require_unchanged, running

NONE = -1
"""A row, where there is none: workers agree on a number."""


def main(method: str) -> None:
    """Measure every sampler of `method` and write its sample grids."""
    params.require_method(method)
    workers = work_queue.by_torchrun()
    if workers is not None and not workers.is_first:
        help_draw(workers, method)
        return
    with running(f"evaluate@{method}") as stage:
        evaluate(stage, method, workers)


def evaluate(stage: Stage, method: str, workers: Workers | None = None) -> None:
    """Args: workers: those that there are already; else there will be one for each device."""
    settings = params.load()
    device = devices.pick(settings.train.accelerator)
    with (
        compute_slot(device.type),
        tracking.stage_run(stage, settings.dataset.name) as tracked,
        nullcontext(workers) if workers is not None else started(method, settings.evaluate, device) as workers,
    ):
        log_settings(tracked, stage, settings, method)
        bench = Bench.of(method, settings, workers)
        if bench.chosen.compile:
            print(f"evaluate {method}: {COMPILING}", flush=True)
        rehearse(method, bench.generator, bench.samplers)
        with whole_folder(SAMPLES / method) as grids:
            evaluation = measured(bench, settings, tracked, grids)
            require_unchanged(stage)
        evaluation.save(METRICS / "evaluate" / f"{method}.json")
        for grid in sorted((SAMPLES / method).iterdir()):
            tracked.artifact(grid, "samples")


def measured(bench: Bench, settings: Params, tracked: tracking.StageRun, grids: Path) -> Evaluation:
    """All that is measured of a method, which `help_draw` draws in the same order. Sheets go to the folder `grids`."""
    chosen, dataset = bench.chosen, bench.dataset
    real, protocol = real_reference(chosen), Protocol.of(settings.dataset)
    bench.generator.sample(chosen.batch_size, chosen.seed, steps=1)  # the first calls are slow, and are not to be timed
    rows = []
    for sampler in bench.samplers:
        current = bench.generator.with_sampler(sampler)
        rows.append(bench.measure(current, real, protocol=protocol))
        save_grid(current, bench.extractor, dataset, real.train_features, grids, chosen.seed)
        report(tracked, bench.method, bench.extractor.name, rows[-1])
    along = along_training(bench, rows, real)
    lengths = at_lengths(bench, rows, real)
    captions, completion = what_is_asked(bench, rows, settings.register_.nfe, tracked)
    figures, curves = ([], []) if protocol is None else protocol.of_data(plan_of(chosen, len(dataset.test)))
    split = f"{len(dataset.train)} {settings.dataset.things}"
    return Evaluation(
        extractor=bench.extractor.name,
        reference=f"training split of {settings.dataset.name}, {split}, unflipped",
        num_images=chosen.count(len(dataset.test)),
        num_sets=chosen.sets,
        confidence=CONFIDENCE,
        seed=chosen.seed,
        precision=chosen.precision,
        extrapolation="jackknife",
        floor=real.floor,
        rows=rows,
        along=along,
        lengths=lengths,
        captions=captions,
        completion=completion,
        figures=figures,
        curves=curves,
    )


def along_training(bench: Bench, rows: list[EvaluationRow], real: Reference) -> list[Snapshot]:
    """The networks that were kept along the training."""
    place = snapshots.of_itself(rows)
    bench.workers.agree(NONE if place is None else place)
    if place is None:
        return []

    def measure_young(folder: Path, sampler: SamplerConfig) -> EvaluationRow:
        return bench.measure(bench.young(folder).with_sampler(sampler), real, snapshots.name(folder))

    return snapshots.along(bench.method, rows[place], measure_young)


def at_lengths(bench: Bench, rows: list[EvaluationRow], real: Reference) -> Lengths | None:
    """The method with its weights averaged at other lengths."""
    best = rows[bench.workers.agree(int(np.argmin([row.distance for row in rows])))]

    def measure_at(length: float) -> EvaluationRow:
        return bench.measure(bench.at_length(length).with_sampler(best.sampler), real, averages.name(length))

    return averages.read(bench.method, best, measure_at)


def what_is_asked(
    bench: Bench, rows: list[EvaluationRow], nfe: int, tracked: tracking.StageRun
) -> tuple[Following | None, Completion | None]:
    """How captions are followed, and how data are completed of which a part is given, by the sampler that decides."""
    followed = completion = None
    if is_told_captions(bench.generator):
        row, by_it = by_the_deciding(bench, rows, nfe)
        figures = follow(by_it, bench.dataset, bench.chosen, bench.workers)
        followed = Following(sampler=row.sampler, nfe=row.nfe, figures=figures)
        report_captions(tracked, followed)
    if is_given_a_part(bench.generator):
        row, by_it = by_the_deciding(bench, rows, nfe)
        completion = completing.completed(by_it, row, bench.dataset, bench.chosen, bench.workers)
        if completion is not None:
            completing.report(tracked, completion)
    return followed, completion


def by_the_deciding(bench: Bench, rows: list[EvaluationRow], nfe: int) -> tuple[EvaluationRow, Generator]:
    row = rows[bench.workers.agree(deciding(rows, nfe))]
    return row, bench.generator.with_sampler(row.sampler)


def help_draw(workers: Workers, method: str, threads: int | None = None) -> None:
    """What the other processes do: draw their part of the same sample sets in the same order as `measured`."""
    if threads is not None:
        torch.set_num_threads(threads)
    settings = params.load()
    bench = Bench.of(method, settings, workers)
    for sampler in bench.samplers:
        bench.draw(bench.generator.with_sampler(sampler), measures_of(settings.dataset))
    if (place := workers.agree(NONE)) != NONE:
        for folder in snapshots.folders(method):
            bench.draw(bench.young(folder).with_sampler(bench.samplers[place]))
    best = bench.samplers[workers.agree(NONE)]
    for length in averages.tried(method):
        bench.draw(bench.at_length(length).with_sampler(best))
    if is_told_captions(bench.generator):
        by_it = bench.generator.with_sampler(bench.samplers[workers.agree(NONE)])
        follow(by_it, bench.dataset, bench.chosen, workers)
    if is_given_a_part(bench.generator):
        by_it = bench.generator.with_sampler(bench.samplers[workers.agree(NONE)])
        complete(by_it, bench.dataset.train, bench.dataset.test, bench.chosen.seed, workers)


def started(method: str, chosen: Evaluate, device: torch.device) -> AbstractContextManager[Workers]:
    """A process for each device, this one the first; on processors they share the threads."""
    count = sharers(chosen, device)
    threads = max(torch.get_num_threads() // count, 1)
    if count > devices.count(device):
        told = f"evaluate.devices = {count}: this machine has one {device.type}, which as many processes share"
        print(f"evaluate {method}: {told}, of {threads} thread{'s' * (threads > 1)} each", flush=True)
    torch.set_num_threads(threads)
    return work_queue.started(count, help_draw, method, threads)


def report(run: tracking.StageRun, method: str, extractor: str, row: EvaluationRow) -> None:
    """One row into MLflow: its charts have the number of network evaluations as their step."""
    values = {
        distance_key(extractor): row.distance,
        "kid": row.kid,
        "precision": row.precision,
        "recall": row.recall,
    }
    if row.accuracy is not None:
        values["accuracy"] = row.accuracy
    values |= {name: figure.value for name, figure in row.figures.items() if figure.value is not None}
    whole = {f"{distance_key(extractor)}/{method}/{row.solver}": row.distance}
    run.metrics({f"{row.solver}/{name}": value for name, value in values.items()}, row.nfe, whole)


def report_captions(run: tracking.StageRun, found: Following) -> None:
    """How captions are followed, into MLflow."""
    run.metrics({f"captions/{one.kind} {one.what} {one.of}": one.share for one in found.figures}, found.nfe)


def log_settings(run: tracking.StageRun, stage: Stage, settings: Params, method: str) -> None:
    run.params({"method": method, **{f"evaluate.{k}": v for k, v in settings.evaluate.model_dump().items()}})
    run.dataset_input(settings.dataset.name, stage.data_md5, str(PREPARED))


if __name__ == "__main__":
    run(lambda: main(sys.argv[1]))
