"""A generator's sample sets (fm.evaluation), measured against the prepared dataset: its evaluation and the gate need
both."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from fm import devices, evaluation
from fm.captions import seen
from fm.conditions import Whole
from fm.data.captions import TEXT
from fm.data.prepared import Prepared
from fm.data.rows import Arrays
from fm.errors import UserError
from fm.evaluation import Conditions, Measured, Plan, Reference, SampleSet
from fm.generator import Generator
from fm.metrics.completing import is_given_a_part
from fm.metrics.extractors import Extractor, Floats
from fm.metrics.measures import Measures
from fm.noise import Draws
from fm.work_queue import ALONE, Workers
from pipelines.machine import Moment
from pipelines.measuring import Protocol
from pipelines.params import Evaluate, require_enough
from pipelines.project import FEATURES
from pipelines.schemas.evaluation import EvaluationRow, distance_key
from pipelines.schemas.machine import Load

if TYPE_CHECKING:
    from fm.data.shards import Shards

LABEL = "label"


def plan_of(chosen: Evaluate, num_test: int) -> Plan:
    """With a test split of so many."""
    return Plan(chosen.count(num_test), chosen.sets, chosen.seed, chosen.batch_size)


def real_reference(chosen: Evaluate) -> Reference:
    """The real data's features, fitted. Raises UserError if a split or a sample set is too small for them."""
    train, test = reference("train"), reference("test")
    require_enough(chosen, len(train), len(test), train.shape[1])
    return Reference.of(train, test, plan_of(chosen, len(test)))


def reference(split: str, folder: Path = FEATURES) -> Floats:
    """The real data's features, float32 (N, D), of the split `train` or `test`."""
    features: Floats = np.load(folder / f"{split}.npy")
    return features


def sharers(chosen: Evaluate, device: torch.device) -> int:
    """How many devices of this machine share the drawing. Raises UserError where it has not so many."""
    there = devices.count(device)
    if chosen.devices == "auto":
        return there
    if device.type == "cuda" and chosen.devices > there:
        raise UserError(f"params.yaml: evaluate.devices = {chosen.devices}: this machine has {there} GPUs")
    return chosen.devices


def draw(
    generator: Generator,
    extractor: Extractor,
    dataset: Prepared,
    chosen: Evaluate,
    workers: Workers = ALONE,
    measures: Measures | None = None,
) -> list[SampleSet]:
    """Draw the sample sets of one sampler together with the other workers; only the first one gets them."""
    plan = plan_of(chosen, len(dataset.test))
    asked = conditions(generator, dataset)
    return evaluation.draw(generator, extractor, plan, asked, workers=workers, measures=measures)


def measure(
    generator: Generator,
    extractor: Extractor,
    dataset: Prepared,
    real: Reference,
    chosen: Evaluate,
    workers: Workers = ALONE,
    network: str = "",
    protocol: Protocol | None = None,
) -> EvaluationRow:
    """Draw the sample sets of one sampler and measure them; of several workers, for the first.

    Args:
        network: which one it is, in the line that tells of it, where it is not the finished one.
        protocol: what else is measured of the data.
    """
    began = Moment.now()
    sets = draw(generator, extractor, dataset, chosen, workers, None if protocol is None else protocol.measures)
    row = row_of(generator, evaluation.measure(sets, real), began.load())
    if protocol is not None:
        described = [one.described for one in sets]
        row = row.model_copy(update={"figures": protocol.figures(described), "curves": protocol.curves(described)})
    what = ", ".join(filter(None, [f"{row.solver} {row.steps}", network]))
    print(f"{what}: nfe {row.nfe}, {distance_key(extractor.name)} {row.distance:.2f}", flush=True)
    return row


def row_of(generator: Generator, found: Measured, load: Load) -> EvaluationRow:
    sampler = generator.config.sampler
    return EvaluationRow(
        solver=sampler.label,
        steps=sampler.steps,
        sampler=sampler,
        nfe=found.nfe,
        distance=found.distance.mean,
        distance_low=found.distance.low,
        distance_high=found.distance.high,
        distance_test=float(np.mean(found.to_test)),
        distance_sets=found.distances,
        distance_infinity_sets=found.at_infinity,
        kid=found.kernel.mean,
        kid_low=found.kernel.low,
        kid_high=found.kernel.high,
        precision=found.precision,
        recall=found.recall,
        accuracy=float(np.mean(found.recognised)) if found.recognised else None,
        distance_test_sets=found.to_test,
        kid_sets=found.kernels,
        precision_sets=[precision for precision, _ in found.overlaps],
        recall_sets=[recall for _, recall in found.overlaps],
        accuracy_sets=found.recognised,
        seconds_per_image=found.seconds,
        machine_load=load,
    )


class Captions:
    """A caption of each of these data, looked up where it is asked for."""

    def __init__(self, rows: "Arrays | Shards") -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        return np.array(seen(self.rows.captions(rows), Draws(0, rows.tolist())), dtype=object)


class Wholes:
    """Each of these data, of which a part is given."""

    def __init__(self, rows: "Arrays | Shards") -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        found = np.empty(len(rows), dtype=object)
        found[:] = [Whole(one, int(row)) for one, row in zip(self.rows[rows]["data"], rows, strict=True)]
        return found


def conditions(generator: Generator, dataset: Prepared) -> Conditions | None:
    """What the training split's data are under, by what the generator calls it: one that was trained on other data may
    have other labels, or the same in another order, and is asked for no label where it does not know it. None where
    data have no labels, or the generator knows no condition. Where a part is given, it is of the test split's data,
    which no network has seen."""
    if is_given_a_part(generator):
        return Conditions(Wholes(dataset.test), dataset.test.column(LABEL) if LABEL in dataset.test.kinds else None)
    has_labels = LABEL in dataset.train.kinds
    if TEXT in generator.conditioner.fields:
        labels = dataset.train.column(LABEL) if has_labels and dataset.label_names else None
        return Conditions(Captions(dataset.train), labels)
    if not has_labels or not generator.conditioner.fields:
        return None
    known = set(generator.conditioner.choices)
    names = list(dataset.label_names) or [""]  # without labels all images have the number 0
    asked = np.array([name if name in known else None for name in names], dtype=object)
    labels = dataset.train.column(LABEL)
    return Conditions(asked[labels], labels)
