"""Stages `pairs@<method>`: noise and what the network that a row starts from makes of it, for the row to be trained on.
`python -m pipelines.pairs rectified_flow`.
"""

import shutil
import sys
import time
from pathlib import Path

from fm import devices, pairs
from fm.batches import Examples
from fm.generator import Generator
from pipelines import forecast, methods, params
from pipelines.dataset import for_training, opened
from pipelines.params import Params
from pipelines.program import run
from pipelines.project import METRICS, MODELS, PAIRS, cache_dir, compute_slot, whole_folder
from pipelines.schemas.pairs import PairsMetrics
from pipelines.stage import Stage, require_unchanged, running


def main(name: str) -> None:
    """Draw the pairs of the method of that name, from where an earlier, killed run of the same stage has left them."""
    params.require_method(name)
    with running(f"pairs@{name}") as stage:
        draw(stage, params.load(), name)


def draw(stage: Stage, settings: Params, name: str) -> None:
    row = settings.methods[name]
    if row.pairs is None or row.start is None:
        raise params.ParamsError(f"{params.FILE}: methods.{name} has no pairs, and is trained on the data")
    workspace = cache_dir() / "checkpoints" / stage.name / stage.key
    workspace.mkdir(parents=True, exist_ok=True)
    device = devices.pick(settings.train.accelerator)
    with compute_slot(device.type):
        generator = Generator.load(MODELS / row.start).to(device).with_sampler(row.pairs.sampler)
        print(f"{stage.name}: {forecast.of_pairs(row.pairs, generator.shape)}", flush=True)
        with methods.named(f"{name}.pairs"):
            examples = for_training(settings, opened())
            seconds = write_shards(workspace, generator, examples, row.pairs.count, settings.train.seed)
        require_unchanged(stage)
        with whole_folder(PAIRS / name) as folder:
            shutil.copytree(workspace, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
        PairsMetrics(pairs=row.pairs.count, seconds=seconds).save(METRICS / "pairs" / f"{name}.json")
    shutil.rmtree(workspace)


def write_shards(folder: Path, generator: Generator, examples: Examples, count: int, seed: int) -> float:
    """Those that are not there yet, and the index of all; the seconds that all of them have taken.

    Args:
        examples: what the network was trained on, under which pairs are made.
    """
    for first in pairs.starts(count):
        if not pairs.is_written(folder, first):
            size = min(pairs.IN_A_SHARD, count - first)
            began = time.perf_counter()
            under = pairs.under(examples, first, size, seed)
            fields = pairs.draw_shard(generator, seed, first, under)
            # Before the shard, so that no shard is there whose time is not; hidden, for it is none of the pairs' bytes.
            (folder / f".{first}.seconds").write_text(repr(time.perf_counter() - began), encoding="utf-8")
            pairs.write_shard(folder, first, fields)
            print(f"pairs: {first + size:,} of {count:,}", flush=True)
    pairs.write_index(folder, count, seed, generator.shape, generator.source.choice)
    return sum(float(file.read_text(encoding="utf-8")) for file in folder.glob(".*.seconds"))


if __name__ == "__main__":
    run(lambda: main(sys.argv[1]))
