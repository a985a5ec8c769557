"""Sample sets of a generator, drawn and measured against the real images: its evaluation and the gate need both."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fm import images
from fm.data.prepared import Prepared
from fm.generator import Generator
from fm.metrics.distances import (
    Moments,
    distances_at_infinity,
    gaussian_distance,
    kernel_distance,
    moments,
    precision_recall,
)
from fm.metrics.extractors import Extractor, Floats
from fm.metrics.intervals import mean_interval
from pipelines.machine import Moment
from pipelines.params import Evaluate, require_enough
from pipelines.project import FEATURES
from pipelines.schemas.evaluation import EvaluationRow, distance_key

CONFIDENCE = 0.95
KERNEL_REFERENCE = 2000
MANIFOLD = 5  # neighbours that precision and recall look at; a set must have more
REAL = (0, 1)  # beside the seed: the stream that takes real images (that of set k's labels: k)


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


def real_reference(chosen: Evaluate) -> Reference:
    """The real images' features, fitted. Raises UserError if a split or a sample set is too small for them."""
    train, test = reference("train"), reference("test")
    count = chosen.count(len(test))
    require_enough(chosen, len(train), len(test), train.shape[1])
    train_moments = moments(train)
    random = np.random.default_rng([chosen.seed, *REAL])
    floor = np.mean([gaussian_distance(moments(part), train_moments) for part in cut(test, count, chosen.sets, random)])
    (subset,) = cut(train, min(KERNEL_REFERENCE, len(train)), 1, random)
    return Reference(train_moments, moments(test), train, subset, float(floor))


def reference(split: str, folder: Path = FEATURES) -> np.ndarray:
    """The real images' features, float32 (N, D), of the split `train` or `test`."""
    features: np.ndarray = np.load(folder / f"{split}.npy")
    return features


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
    to_test = [gaussian_distance(one, real.test) for one in fitted]
    kernels = [kernel_distance(one.features, real.train_subset) for one in sets]
    kernel = mean_interval(kernels, CONFIDENCE)
    precision, recall = overlap(real.train_subset, np.concatenate([one.features for one in sets]))
    overlaps = [overlap(real.train_subset, one.features) for one in sets if len(one.features) > MANIFOLD]
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
        distance_test=float(np.mean(to_test)),
        distance_sets=distances,
        distance_infinity_sets=distances_at_infinity([one.features for one in sets], real.train),
        kid=kernel.mean,
        kid_low=kernel.low,
        kid_high=kernel.high,
        precision=precision,
        recall=recall,
        accuracy=float(np.mean(recognised)) if recognised else None,
        distance_test_sets=to_test,
        kid_sets=kernels,
        precision_sets=[one for one, _ in overlaps],
        recall_sets=[one for _, one in overlaps],
        accuracy_sets=recognised,
        seconds_per_image=sum(one.seconds for one in sets) / (chosen.count(len(dataset.test)) * chosen.sets),
        machine_load=began.load(),
    )
    print(f"{row.solver} {row.steps}: nfe {row.nfe}, {distance_key(extractor.name)} {row.distance:.2f}", flush=True)
    return row


def overlap(real: Floats, generated: Floats) -> tuple[float, float]:
    """Precision and recall of as many images of each. Both are in random order, so the first are as good as any."""
    return precision_recall(real[: len(generated)], generated[: len(real)], MANIFOLD)


def draw(generator: Generator, extractor: Extractor, dataset: Prepared, chosen: Evaluate, number: int) -> SampleSet:
    """Sample set `number`: noise, labels and order are the same for every method and sampler."""
    count = chosen.count(len(dataset.test))
    first = number * count
    order = np.random.default_rng([chosen.seed, number]).permutation(len(dataset.train.fields["label"]))
    labels = dataset.train.fields["label"][np.resize(order, count)]
    asked = label_numbers(generator, dataset)[labels]
    started = time.perf_counter()
    x, nfe = generator.sample_float(count, chosen.seed, asked.tolist(), first, chosen.batch_size)
    seconds = time.perf_counter() - started
    generated = images.to_uint8(x)
    seen = extractor.classify(generated)
    recognised = None if seen is None else float((seen == labels).mean())
    return SampleSet(extractor.features(generated), recognised, nfe, seconds)


def label_numbers(generator: Generator, dataset: Prepared) -> npt.NDArray[np.int64]:
    """What the generator calls each of the dataset's labels; "no label" where it does not know it. int64 (labels,).

    A generator that was trained on other data may have other labels, or the same in another order.
    """
    known = {name: number for number, name in enumerate(generator.config.label_names)}
    names = list(dataset.label_names) or [""]  # without labels all images have the number 0
    return np.array([known.get(name, generator.no_label) for name in names])
