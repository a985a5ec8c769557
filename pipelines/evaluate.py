"""Stages `evaluate@<method>`: how far a method's images are from the real ones, by solver and number of
network evaluations. `python -m pipelines.evaluate diffusion`.

Several devices share the drawing: the stage starts a process for each GPU of its machine, or torchrun starts them, on
one machine or several. The first process measures what all have drawn; the others know of nothing else.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fm import devices, images, sheets, work_queue
from fm.conditions import Whole
from fm.conditions.given import GIVEN
from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.evaluation import CONFIDENCE
from fm.generator import Generator
from fm.metrics.completing import complete, examples, is_given_a_part
from fm.metrics.distances import nearest
from fm.metrics.extractors import Extractor, Floats, load
from fm.networks.compiled import COMPILING
from fm.pictures import pictures
from fm.work_queue import Workers
from pipelines import averages, completing, params, snapshots
from pipelines.dataset import opened
from pipelines.following import deciding, follow, is_told_captions
from pipelines.measuring import Protocol, measures_of
from pipelines.params import Evaluate, Params
from pipelines.program import run
from pipelines.project import FEATURES, METRICS, MODELS, NEAREST, PREPARED, SAMPLES, compute_slot, whole_folder
from pipelines.records import tracking
from pipelines.rehearsal import rehearse
from pipelines.sample_sets import draw, measure, plan_of, real_reference, sharers
from pipelines.schemas.evaluation import Evaluation, EvaluationRow, Following, distance_key
from pipelines.stage import Stage, require_unchanged, running

NEIGHBOURS = 2


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
    chosen, samplers = settings.evaluate, settings.methods[method].each_sampler()
    device = devices.pick(settings.train.accelerator)
    with (
        compute_slot(device.type),
        tracking.stage_run(stage, settings.dataset.name) as tracked,
        nullcontext(workers) if workers is not None else started(method, chosen, device) as workers,
    ):
        log_settings(tracked, stage, settings, method)
        device = devices.at_place(device, workers.place)
        dataset = opened()
        extractor = load(FEATURES, device)
        weaker = snapshots.weaker(method, samplers)
        generator = model(MODELS / method, chosen, device, weaker)
        if chosen.compile:
            print(f"evaluate {method}: {COMPILING}", flush=True)
        rehearse(method, generator, samplers)
        real, protocol = real_reference(chosen), Protocol.of(settings.dataset)
        generator.sample(chosen.batch_size, chosen.seed, steps=1)  # the first calls are slow, and are not to be timed

        def measure_young(folder: Path, sampler: SamplerConfig) -> EvaluationRow:
            young = model(folder, chosen, device, weaker).with_sampler(sampler)
            return measure(young, extractor, dataset, real, chosen, workers, snapshots.name(folder))

        def measure_at(length: float) -> EvaluationRow:
            other = at_length(method, length, generator, chosen).with_sampler(rows[best].sampler)
            return measure(other, extractor, dataset, real, chosen, workers, averages.name(length))

        rows: list[EvaluationRow] = []
        with whole_folder(SAMPLES / method) as folder:
            for sampler in samplers:
                current = generator.with_sampler(sampler)
                rows.append(measure(current, extractor, dataset, real, chosen, workers, protocol=protocol))
                save_grid(current, extractor, dataset, real.train_features, folder, chosen.seed)
                report(tracked, method, extractor.name, rows[-1])
            best = workers.agree(int(np.argmin([row.distance for row in rows])))
            along = snapshots.along(method, rows, measure_young)
            lengths = averages.read(method, rows[best], measure_at)
            captions = None
            if is_told_captions(generator):
                decides = rows[workers.agree(deciding(rows, settings.register_.nfe))]
                figures = follow(generator.with_sampler(decides.sampler), dataset, chosen, workers)
                captions = Following(sampler=decides.sampler, nfe=decides.nfe, figures=figures)
                report_captions(tracked, captions)
            completion = None
            if is_given_a_part(generator):
                decides = rows[workers.agree(deciding(rows, settings.register_.nfe))]
                by_it = generator.with_sampler(decides.sampler)
                completion = completing.completed(by_it, decides, dataset, chosen, workers)
                if completion is not None:
                    completing.report(tracked, completion)
            require_unchanged(stage)

        plan = plan_of(chosen, len(dataset.test))
        of_data = ([], []) if protocol is None else protocol.of_data(plan)
        evaluation = Evaluation(
            extractor=extractor.name,
            reference=f"training split of {settings.dataset.name}, {len(dataset.train)} images, unflipped",
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
            figures=of_data[0],
            curves=of_data[1],
        )
        evaluation.save(METRICS / "evaluate" / f"{method}.json")
        for grid in sorted((SAMPLES / method).iterdir()):
            tracked.artifact(grid, "samples")


def started(method: str, chosen: Evaluate, device: torch.device) -> AbstractContextManager[Workers]:
    """A process for each device, this one the first; on processors they share the threads."""
    count = sharers(chosen, device)
    threads = max(torch.get_num_threads() // count, 1)
    if count > devices.count(device):
        told = f"evaluate.devices = {count}: this machine has one {device.type}, which as many processes share"
        print(f"evaluate {method}: {told}, of {threads} thread{'s' * (threads > 1)} each", flush=True)
    torch.set_num_threads(threads)
    return work_queue.started(count, help_draw, method, threads)


def help_draw(workers: Workers, method: str, threads: int | None = None) -> None:
    """What the other processes do: draw their part of the same sample sets in the same order."""
    if threads is not None:
        torch.set_num_threads(threads)
    settings = params.load()
    chosen, samplers = settings.evaluate, settings.methods[method].each_sampler()
    device = devices.at_place(devices.pick(settings.train.accelerator), workers.place)
    dataset, extractor = opened(), load(FEATURES, device)
    weaker = snapshots.weaker(method, samplers)
    generator = model(MODELS / method, chosen, device, weaker)
    for sampler in samplers:
        draw(generator.with_sampler(sampler), extractor, dataset, chosen, workers, measures_of(settings.dataset))
    best = samplers[workers.agree(0)]
    for folder in snapshots.folders(method):
        draw(model(folder, chosen, device, weaker).with_sampler(best), extractor, dataset, chosen, workers)
    for length in averages.tried(method):
        draw(at_length(method, length, generator, chosen).with_sampler(best), extractor, dataset, chosen, workers)
    if is_told_captions(generator):
        follow(generator.with_sampler(samplers[workers.agree(0)]), dataset, chosen, workers)
    if is_given_a_part(generator):
        by_it = generator.with_sampler(samplers[workers.agree(0)])
        complete(by_it, dataset.train, dataset.test, chosen.seed, workers)


def model(folder: Path, chosen: Evaluate, device: torch.device, weaker: Mapping[int, Path]) -> Generator:
    """Args: weaker: folders of the networks that samplers lead away from."""
    return Generator.load(folder, weaker=weaker).to(device).evaluated(chosen.precision, chosen.compile)


def at_length(method: str, length: float, generator: Generator, chosen: Evaluate) -> Generator:
    """A method's generator with its weights averaged at another length, drawn from as it is."""
    other = averages.of_length(method, length).to(generator.device).evaluated(chosen.precision, chosen.compile)
    other.weaker = generator.weaker
    return other


def save_grid(
    generator: Generator, extractor: Extractor, dataset: Prepared, train: Floats, folder: Path, seed: int
) -> None:
    """A sheet of samples, labels in turn, from the same noise for every method and sampler; and below the first row's
    images the training images nearest to them, where a copy would show. What moves is a film beside it. Where a part is
    given, a column is of one test datum: itself, what is given of it, and what is made of that."""
    columns = sheets.columns_of(generator)
    wholes = examples(dataset.test, columns) if is_given_a_part(generator) else None
    made = sheets.made(generator, seed, asked=wholes)
    samples = pictures(made, generator.codec)
    sampler = generator.config.sampler
    name = f"{sampler.label}-{sampler.steps}"
    shown = made if wholes is None else np.concatenate([*beside(generator, wholes), made[: -2 * columns]])
    images.save_png(sheets.laid_out(pictures(shown, generator.codec), columns), folder / f"{name}.png")
    if (film := sheets.film(shown, generator.codec, columns)) is not None:
        (folder / f"{name}.webp").write_bytes(film)
    near = nearest(extractor.features(made[:columns]), train, NEIGHBOURS)
    real = (pictures(dataset.train[near[:, k]]["data"], generator.codec) for k in range(NEIGHBOURS))
    rows = [samples[:columns], *real]
    images.save_png(sheets.laid_out(np.concatenate(rows), columns), folder / f"{name}{NEAREST}")


def beside(generator: Generator, wholes: Sequence[Whole]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The data, and what is given of them, both as stored; where nothing is given, what is 0 as modelled."""
    given = generator.conditioner.read(wholes)[GIVEN][:, :-1]
    return np.stack([one.stored for one in wholes]), generator.codec.decode(given)


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
