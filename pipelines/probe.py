"""Stage compare, first half: what only methods side by side, in one go on one machine, can show."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from fm import devices
from fm.batches import Examples
from fm.config import SamplerConfig
from fm.generator import Generator
from fm.metrics.extractors import load
from fm.networks.compiled import COMPILING
from fm.paths import CondOT
from pipelines import params, snapshots
from pipelines.dataset import for_training, opened
from pipelines.machine import Moment
from pipelines.methods import Method, budget, build
from pipelines.params import Params
from pipelines.probes.guidance import SCALES, UNGUIDED, guided
from pipelines.probes.repetition import repetitions
from pipelines.probes.timing import latencies, one_at_a_time, timings
from pipelines.probes.training_step import Costs, costs
from pipelines.probes.trajectories import change_of_path, convergence, pixels_of, straightness_of
from pipelines.project import FEATURES, METRICS, MODELS, compute_slot
from pipelines.ranking import rank, read_evaluations
from pipelines.schemas.evaluation import Evaluation, EvaluationRow
from pipelines.schemas.probes import ChangeOfPath, Latency, MethodProbe, ProbeLoads, Probes, SamplerTiming
from pipelines.stage import Stage, require_unchanged

MOST_TIMED = 32  # images in a batch
MOST_GUIDED = 250  # images in a set
ALONE = SamplerConfig(solver="ddim", steps=10)
MOST_ALONE = 10  # evaluations for an image that somebody waits for


def measure(stage: Stage) -> None:
    """Write metrics/probes.json. Raises StageChanged, before it is written, if the stage is another than it was."""
    settings = params.load()
    device = devices.pick(settings.train.accelerator)
    with compute_slot(device.type):
        found = probe(settings, device)
    require_unchanged(stage)
    found.save(METRICS / "probes.json")


def probe(settings: Params, device: torch.device) -> Probes:
    """All methods of params.yaml, as they lie trained in artifacts/models."""
    dataset = opened()
    examples = for_training(settings, dataset)
    methods = build(settings, examples)
    evaluations, metric = read_evaluations(list(methods)), settings.register_.metric
    deciding = dict(rank(evaluations, metric, settings.register_.nfe))
    guided_images = min(settings.evaluate.count(len(dataset.test)) * settings.evaluate.sets // 2, MOST_GUIDED)
    chosen = settings.evaluate.model_copy(update={"images": guided_images})
    samplers = {name: method.samplers for name, method in methods.items()}
    weaker = {name: snapshots.weaker(name, given) for name, given in samplers.items()}
    generators = {name: Generator.load(MODELS / name, weaker=weaker[name]).to(device) for name in methods}
    batch_size, seed = min(MOST_TIMED, chosen.batch_size), chosen.seed

    quick = {method: best_of_each(evaluation, metric) for method, evaluation in evaluations.items()}
    times = timed(settings, methods, generators, quick, examples, batch_size)
    tell("drawing the same again")
    repeated = repetitions({m: MODELS / m for m in methods}, samplers, str(device), seed, weaker)
    extractor = load(FEATURES, device)
    scales = {name: SCALES if method.config.unconditional else UNGUIDED for name, method in methods.items()}
    found = {}
    for method, generator in generators.items():
        tell(f"{method}: many steps, and guidance")
        found[method] = MethodProbe(
            timings=times.samplers[method],
            one_at_a_time=times.alone[method],
            latency=times.latency[method],
            repetitions=repeated[method],
            convergence=convergence(generator, seed, settings.probe.images, settings.probe.steps),
            many=settings.probe.steps,
            straightness=straightness_of(generator, seed, settings.probe.images),
            pixels=pixels_of(generator, seed),
            guidance=guided(generator, deciding[method].sampler, extractor, dataset, chosen, scales[method]),
            step_seconds=times.steps[method].seconds,
            step_peak_bytes=times.steps[method].peak_bytes,
        )
    return Probes(
        device=str(device),
        threads=torch.get_num_threads(),
        batch_size=batch_size,
        train_batch_size=budget(settings).batch_size,
        guidance_images=guided_images,
        methods=found,
        change_of_path=as_a_flow(settings.compare.baseline, generators, seed, settings.probe.images),
        machine_load=times.loads,
    )


class Times(NamedTuple):
    """By method, all taken in turn in one go, and what else the machine did meanwhile."""

    samplers: dict[str, list[SamplerTiming]]
    alone: dict[str, list[float]]
    latency: dict[str, list[Latency]]
    steps: dict[str, Costs]
    loads: ProbeLoads


def timed(
    settings: Params,
    methods: Mapping[str, Method],
    generators: Mapping[str, Generator],
    quick: Mapping[str, Sequence[EvaluationRow]],
    examples: Examples,
    batch_size: int,
) -> Times:
    """Args: quick: of each method, the rows whose latency is measured."""
    rounds, seed, compiled = settings.probe.rounds, settings.evaluate.seed, settings.evaluate.compile
    tell("timing samplers")
    began = Moment.now()
    samplers = timings(generators, {name: one.samplers for name, one in methods.items()}, batch_size, seed, rounds)
    after_samplers = Moment.now()
    alone = one_at_a_time(generators, ALONE, seed, rounds)
    if compiled:
        tell(COMPILING)
    latency = latencies(generators, quick, compiled, seed, rounds)
    after_alone = Moment.now()
    tell("timing training steps")
    objectives = {name: one.objective for name, one in methods.items()}
    steps = costs(generators, objectives, budget(settings), examples, rounds)
    loads = ProbeLoads(
        samplers=began.until(after_samplers),
        one_at_a_time=after_samplers.until(after_alone),
        training_steps=after_alone.load(),
    )
    return Times(samplers, alone, latency, steps, loads)


def best_of_each(evaluation: Evaluation, metric: str) -> list[EvaluationRow]:
    """The best row of each number of evaluations that one may wait for."""
    numbers = sorted({row.nfe for row in evaluation.rows if row.nfe <= MOST_ALONE})
    return [evaluation.best(metric, nfe) for nfe in numbers]


def as_a_flow(method: str, generators: dict[str, Generator], seed: int, count: int) -> ChangeOfPath | None:
    """What a change of path does to a model; nothing if there is none, or it is on the straight path already."""
    generator = generators.get(method)
    if generator is None or generator.path == CondOT():
        return None
    return change_of_path(method, generator, seed, count)


def tell(what: str) -> None:
    print(f"side by side: {what}", flush=True)
