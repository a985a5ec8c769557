"""How long the stages will take with the settings as they are: rates are measured, then multiplied.

`python -m pipelines.estimate` prints seconds by stage, as JSON. It needs data/prepared, and data/encoded where networks
are trained on that.
"""

import json

import torch

from fm import devices
from fm.averaging import kept_of
from fm.batches import Examples
from fm.config import SamplerConfig
from fm.generator import Generator
from pipelines import averages, methods, params
from pipelines.dataset import for_training, opened
from pipelines.methods import Method
from pipelines.params import Params
from pipelines.probes.timing import seconds as sampling_seconds
from pipelines.probes.training_step import STEPS, prepared, seconds
from pipelines.program import run
from pipelines.project import compute_slot
from pipelines.rehearsal import silent
from pipelines.sample_sets import sharers

BATCH = 64
TYPICAL_BEST = 20  # evaluations of the sampler that snapshots and lengths are measured with
OVERHEAD = 15.0  # of a stage: imports, MLflow, features, distances
TIMED_CALLS = 115_000  # network calls for one image in the stage compare, a method: timings, guidance
ALONG = 290  # further ones for each image whose way is looked at, beside the many steps


def main() -> None:
    settings = params.load()
    device = devices.pick(settings.train.accelerator)
    dataset = opened()
    examples = for_training(settings, dataset)
    with compute_slot(device.type):
        found = {
            stage: taken
            for method in methods.build(settings, examples).values()
            for stage, taken in of_method(settings, examples, len(dataset.test), method, device).items()
        }
    print(json.dumps(found))


def of_method(
    settings: Params, examples: Examples, num_test: int, method: Method, device: torch.device
) -> dict[str, float]:
    generator = method.untrained().to(device)
    step, call = rates(settings, examples, method, generator, device)
    images = settings.evaluate.count(num_test) * settings.evaluate.sets
    lengths = len(averages.lengths_of(kept_of(settings.train.average_lengths)))
    evaluations = calls(method) + (settings.train.snapshots + lengths) * TYPICAL_BEST
    along = settings.probe.images * (settings.probe.steps + ALONG)
    return {
        f"train@{method.name}": OVERHEAD + methods.budget(settings).steps * step,
        f"evaluate@{method.name}": OVERHEAD + images * evaluations * call / sharers(settings.evaluate, device),
        f"compare, {method.name}": OVERHEAD + (TIMED_CALLS + along) * call,
    }


def rates(
    settings: Params, examples: Examples, method: Method, generator: Generator, device: torch.device
) -> tuple[float, float]:
    """Seconds of a training step, and of a network call for one image in a batch."""
    take = prepared(generator, method.objective, methods.budget(settings), examples)
    seconds(take, device)  # the first is slow
    two = SamplerConfig(solver="ddim", steps=2)
    sampling_seconds(generator, two, BATCH, seed=0)
    return seconds(take, device) / STEPS, sampling_seconds(generator, two, BATCH, seed=0) / (2 * BATCH)


def calls(method: Method) -> int:
    """Network calls for one image by every sampler once, counted as they happen."""
    generator = silent(method.config)
    return sum(generator.with_sampler(each).sample_float(1, seed=0)[1] for each in method.samplers)


if __name__ == "__main__":
    run(main)
