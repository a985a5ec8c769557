"""Stages `evaluate@<method>`: how far a method's images are from the real ones, by solver and number of
network evaluations. `python -m pipelines.evaluate diffusion`."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fm import devices, images
from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.errors import UserError
from fm.generator import Generator
from fm.metrics.distances import (
    Moments,
    distance_limits,
    gaussian_distance,
    kernel_distance,
    moments,
    nearest,
    precision_recall,
)
from fm.metrics.extractors import Extractor, Floats, load
from fm.metrics.intervals import mean_interval
from pipelines import params, snapshots, tracking
from pipelines.features import reference
from pipelines.machine import Moment
from pipelines.params import Evaluate, Params
from pipelines.program import method_argument, run
from pipelines.project import FEATURES, METRICS, MODELS, NEAREST, PREPARED, SAMPLES, compute_slot, whole_folder
from pipelines.rehearsal import rehearse
from pipelines.schemas import Evaluation, EvaluationRow, distance_key
from pipelines.stage import Stage, require_unchanged, running

CONFIDENCE = 0.95
KERNEL_REFERENCE = 2000
NEIGHBOURS = 2
REAL = (0, 1)  # beside the seed: the stream that takes real images (that of set k's labels: k)
MOST_IMAGES = 500  # of a sample set, unless evaluate.images says more


@dataclass(frozen=True)
class Reference:
    """The real images, as every sampler of every method is measured against them."""

    train: Moments
    test: Moments
    train_features: Floats
    train_subset: Floats  # in random order; for what costs the product of the counts
    floor: float


@dataclass(frozen=True)
class SampleSet:
    """One of the independent sample sets of a sampler."""

    features: Floats
    recognised: float | None
    nfe: int
    seconds: float


def main(method: str) -> None:
    """Measure every sampler of `method` and write its sample grids."""
    params.require_method(method)
    with running(f"evaluate@{method}") as stage:
        evaluate(stage, method)


def evaluate(stage: Stage, method: str) -> None:
    settings = params.load()
    device = devices.pick(settings.train.accelerator)
    with compute_slot(device.type), tracking.stage_run(stage, settings.dataset.name) as tracked:
        describe(tracked, stage, settings, method)
        dataset = Prepared.open(PREPARED)
        extractor = load(FEATURES, device)
        generator = Generator.load(MODELS / method).to(device)
        chosen = with_count(settings.evaluate, len(dataset.test))
        samplers = settings.methods[method].samplers
        rehearse(method, generator, samplers)
        real = real_reference(chosen, extractor.name)
        generator.sample(chosen.batch_size, chosen.seed, steps=1)  # the first calls are slow, and are not to be timed

        def measure_young(folder: Path, sampler: SamplerConfig) -> EvaluationRow:
            young = Generator.load(folder).to(device).with_sampler(sampler)
            return measure(young, extractor, dataset, real, chosen)

        rows = []
        with whole_folder(SAMPLES / method) as folder:
            for sampler in samplers:
                for each in sampler.each():
                    current = generator.with_sampler(each)
                    rows.append(measure(current, extractor, dataset, real, chosen))
                    save_grid(current, extractor, dataset, real.train_features, folder, chosen.seed)
                    report(tracked, extractor.name, rows[-1])
            along = snapshots.along(method, min(rows, key=lambda row: row.distance), measure_young)
            require_unchanged(stage)

        evaluation = Evaluation(
            extractor=extractor.name,
            reference=f"training split of {settings.dataset.name}, {len(dataset.train.images)} images, unflipped",
            num_images=images_per_set(chosen),
            num_sets=chosen.sets,
            confidence=CONFIDENCE,
            seed=chosen.seed,
            extrapolation="jackknife",
            floor=real.floor,
            rows=rows,
            along=along,
        )
        evaluation.save(METRICS / "evaluate" / f"{method}.json")
        for grid in sorted((SAMPLES / method).glob("*.png")):
            tracked.artifact(grid, "samples")


def with_count(chosen: Evaluate, num_test: int) -> Evaluate:
    """`evaluate.images` filled in: as many as the test split has, since the floor is measured with as many."""
    return chosen if chosen.images is not None else chosen.model_copy(update={"images": min(num_test, MOST_IMAGES)})


def images_per_set(chosen: Evaluate) -> int:
    assert chosen.images is not None
    return chosen.images


def real_reference(chosen: Evaluate, extractor: str) -> Reference:
    """The real images' features, fitted. Raises UserError if a split or a sample set is too small for them."""
    train, test = reference("train"), reference("test")
    count, dimensions = images_per_set(chosen), train.shape[1]
    for what, have in (("evaluate.images", count), ("the training split", len(train)), ("the test split", len(test))):
        if have <= dimensions:
            raise UserError(
                f"{what} = {have}: must be more than the {dimensions} features of the extractor {extractor}, "
                "or a Frechet distance means nothing: more images, or another evaluate.extractor"
            )
    if count > len(test):
        raise UserError(f"params.yaml: evaluate.images = {count}: the test split, the floor, has {len(test)} images")
    train_moments = moments(train)
    random = np.random.default_rng([chosen.seed, *REAL])
    floor = np.mean([gaussian_distance(moments(part), train_moments) for part in cut(test, count, chosen.sets, random)])
    (subset,) = cut(train, min(KERNEL_REFERENCE, len(train)), 1, random)
    return Reference(train_moments, moments(test), train, subset, float(floor))


def cut(features: Floats, count: int, most: int, random: np.random.Generator) -> list[Floats]:
    """At most `most` disjoint sets of `count` rows, drawn at random: neighbours in a split are often of one class."""
    order = random.permutation(len(features))
    return [features[order[number * count : (number + 1) * count]] for number in range(min(most, len(order) // count))]


def measure(
    generator: Generator, extractor: Extractor, dataset: Prepared, real: Reference, chosen: Evaluate
) -> EvaluationRow:
    """Draw the sample sets of one sampler and measure them."""
    began = Moment.now()
    sets = [draw(generator, extractor, dataset, chosen, number) for number in range(chosen.sets)]
    fitted = [moments(one.features) for one in sets]
    distances = [gaussian_distance(one, real.train) for one in fitted]
    distance = mean_interval(distances, CONFIDENCE)
    kernel = mean_interval([kernel_distance(one.features, real.train_subset) for one in sets], CONFIDENCE)
    everything = np.concatenate([one.features for one in sets])
    precision, recall = overlap(real.train_subset, everything)
    recognised = [one.recognised for one in sets if one.recognised is not None]
    sampler = generator.config.sampler
    row = EvaluationRow(
        solver=sampler.label,
        steps=sampler.steps,
        sampler=sampler,
        nfe=sets[0].nfe,
        distance=distance.mean,
        distance_low=distance.low,
        distance_high=distance.high,
        distance_test=float(np.mean([gaussian_distance(one, real.test) for one in fitted])),
        distance_sets=distances,
        distance_limit_sets=distance_limits([one.features for one in sets], real.train),
        kid=kernel.mean,
        kid_low=kernel.low,
        kid_high=kernel.high,
        precision=precision,
        recall=recall,
        accuracy=float(np.mean(recognised)) if recognised else None,
        seconds_per_image=sum(one.seconds for one in sets) / (images_per_set(chosen) * chosen.sets),
        machine_load=began.load(),
    )
    print(f"{row.solver} {row.steps}: nfe {row.nfe}, {distance_key(extractor.name)} {row.distance:.2f}", flush=True)
    return row


def overlap(real: Floats, generated: Floats) -> tuple[float, float]:
    """Precision and recall of as many images of each. Both are in random order, so the first are as good as any."""
    return precision_recall(real[: len(generated)], generated[: len(real)])


def draw(generator: Generator, extractor: Extractor, dataset: Prepared, chosen: Evaluate, number: int) -> SampleSet:
    """Sample set `number`: noise, labels and order are the same for every method and sampler."""
    count = images_per_set(chosen)
    first = number * count
    order = np.random.default_rng([chosen.seed, number]).permutation(len(dataset.train.labels))
    labels = dataset.train.labels[np.resize(order, count)]
    started = time.perf_counter()
    x, nfe = generator.sample_float(count, chosen.seed, labels.tolist(), first, chosen.batch_size)
    seconds = time.perf_counter() - started
    generated = images.to_uint8(x)
    seen = extractor.classify(generated)
    recognised = None if seen is None else float((seen == labels).mean())
    return SampleSet(extractor.features(generated), recognised, nfe, seconds)


def save_grid(
    generator: Generator, extractor: Extractor, dataset: Prepared, train: Floats, folder: Path, seed: int
) -> None:
    """A sheet of samples, labels in turn, from the same noise for every method and sampler; and below the first row's
    images the training images nearest to them, where a copy would show."""
    columns = images.columns(len(generator.config.label_names))
    samples = generator.sample(images.ROWS * columns, seed)
    sampler = generator.config.sampler
    name = f"{sampler.label}-{sampler.steps}"
    images.save_png(images.grid(samples, columns), folder / f"{name}.png")
    shown = samples[:columns]
    near = nearest(extractor.features(shown), train, NEIGHBOURS)
    rows = [shown, *(dataset.train.images[near[:, k]] for k in range(NEIGHBOURS))]
    images.save_png(images.grid(np.concatenate(rows), columns), folder / f"{name}{NEAREST}")


def report(run: tracking.StageRun, extractor: str, row: EvaluationRow) -> None:
    """One row into MLflow: its charts have the number of network evaluations as their step."""
    values = {
        distance_key(extractor): row.distance,
        "kid": row.kid,
        "precision": row.precision,
        "recall": row.recall,
    }
    if row.accuracy is not None:
        values["accuracy"] = row.accuracy
    run.metrics({f"{row.solver}/{name}": value for name, value in values.items()}, row.nfe)


def describe(run: tracking.StageRun, stage: Stage, settings: Params, method: str) -> None:
    run.params({"method": method, **{f"evaluate.{k}": v for k, v in settings.evaluate.model_dump().items()}})
    run.dataset_input(settings.dataset.name, stage.data_md5, str(PREPARED))


if __name__ == "__main__":
    run(lambda: main(method_argument()))
