"""The champion measured again, by the protocol of what lies here now: figures of two protocols do not compare."""

from typing import Any

from fm import devices
from fm.conditions import Given
from fm.data.prepared import Prepared
from fm.errors import TryLater, UserError
from fm.generator import Generator
from fm.metrics.extractors import load
from pipelines.dataset import opened, part_of
from pipelines.params import Params, Part
from pipelines.project import FEATURES, compute_slot
from pipelines.registry import saved_models, versions
from pipelines.registry.gate import USUAL, Again
from pipelines.sample_sets import measure, real_reference
from pipelines.schemas.evaluation import Evaluation


def measured_again(settings: Params, like: Evaluation, metric: str, nfe: int, name: str, version: str) -> Again:
    """A registered version by the metric, extractor, real images, sample sets and network evaluations of now.

    Args:
        like: how what is to replace it was measured.

    Raises:
        TryLater: MLflow does not answer.
    """
    device = devices.pick(settings.train.accelerator)
    dataset = opened()
    try:
        with versions.asking():
            generator = saved_models.fetch(name, version).to(device)
        require_same_format(generator, dataset)
        require_same_part(generator, settings.dataset.condition, dataset)
        chosen = settings.evaluate
        generator = with_calls(generator.evaluated(chosen.precision, chosen.compile), nfe)
        print(f"champion: version {version} is measured again", flush=True)
        with compute_slot(device.type):
            extractor = load(FEATURES, device)
            row = measure(generator, extractor, dataset, real_reference(chosen), chosen)
    except TryLater:
        raise
    except UserError as error:
        return Again(version=version, sets=[], problem=str(error))
    return Again(version=version, sets=like.sets(row, metric), problem=None)


def require_same_format(generator: Generator, dataset: Prepared) -> None:
    made, now = (f"{' x '.join(map(str, one.stored))} ({one.dtype})" for one in (generator.codec, dataset.codec))
    if made != now:
        raise UserError(f"it makes data of {made}, the dataset's are {now}")


def require_same_part(generator: Generator, condition: Any, dataset: Prepared) -> None:
    """Whoever is told more of a datum comes closer to it. Raises UserError: one of the two is told other things."""
    now = part_of(condition, dataset.codec) if isinstance(condition, Part) else None
    then = generator.conditioner if isinstance(generator.conditioner, Given) else None
    if then != now:
        was, what = (USUAL["given"] if one is None else Part.of(one).in_words for one in (then, now))
        raise UserError(
            f"it is given {was} of a datum, the candidate {what}: with another register.model_name each has a champion"
        )


def with_calls(generator: Generator, nfe: int) -> Generator:
    """With as many steps of its sampler as take `nfe` calls of the network. Raises UserError if there are none."""
    sampler = generator.config.sampler
    for steps in (sampler.steps, *range(1, nfe + 1)):
        try:
            chosen = generator.adjusted(steps=steps)
            _, calls = chosen.sample_float(1, seed=0)
        except ValueError:  # so few are too few for some samplers
            continue
        if calls == nfe:
            return chosen
    raise UserError(f"its sampler {sampler.label} can't take {nfe} calls of the network")
