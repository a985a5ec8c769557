"""What those who judge whether captions are followed make of real pictures: the floor and the ceiling of every figure.

    .venv/bin/python -m benchmarks.judges            # icons of 32 x 32 pixels; a quarter of an hour on one core

It prepares the data set icons and trains the judges as the stage features does, and needs neither DVC, MLflow nor
Prefect. What there is already in the folder of --out is not made again.
"""

import argparse
import os
import time
from pathlib import Path

import torch

from fm import devices
from fm.data.dataset import Request
from fm.data.icons import load
from fm.data.prepared import MANIFEST, Prepared
from fm.data.writing import write
from fm.evaluation import Plan
from fm.metrics.captions.following import Answers, look_at_real, recognition, retrieval
from fm.metrics.captions.judges import Judges
from fm.metrics.captions.questions import OF, questions
from fm.metrics.extractors import Asked
from fm.text import MiniLM
from fm.text.finding import VARIABLE
from pipelines.markup import table
from pipelines.words import percent

PLAN = Plan(count=150, sets=8, seed=1000)
"""As recipes/icons-cpu.yaml has it, and the encoder too."""


def main(asked: argparse.Namespace) -> None:
    torch.set_num_threads(asked.threads)
    os.environ.setdefault(VARIABLE, str(asked.cache / "encoders"))
    dataset = prepared(asked.out / "prepared", asked.size, asked.cache)
    judges = judges_of(dataset, asked.out / "judges", asked.cache)
    print(table(("", "of", "data", "floor", "ceiling"), [line for of in OF for line in lines(judges, dataset, of)]))


def prepared(folder: Path, size: int, cache: Path) -> Prepared:
    if not (folder / MANIFEST).exists():
        write(folder, load(Request(cache, folder, size, channels=3, test_fraction=0.1, skip_bad=False)), "icons")
    return Prepared.open(folder)


def judges_of(dataset: Prepared, folder: Path, cache: Path) -> Judges:
    device = devices.pick("auto")
    if not folder.exists():
        began = time.perf_counter()
        made = Judges.trained(Asked("two_towers", dataset, device, None, cache, print, MiniLM(length=24)))
        print(f"trained in {time.perf_counter() - began:.0f} s")
        folder.mkdir(parents=True)
        made.save(folder)
    return Judges.load(folder, device)


def lines(judges: Judges, dataset: Prepared, of: str) -> list[tuple[str, ...]]:
    asked = questions(dataset, judges.attributes, of, PLAN.count * PLAN.sets, PLAN.seed)
    real = look_at_real(judges, dataset, asked, PLAN)
    found: list[Answers] = [
        *(retrieval(judges, asked, real, real, PLAN.seed) if of == "held out" else ()),
        *recognition(asked, real, real, PLAN.seed),
    ]
    return [
        (f"{one.kind}: {one.what}", of, f"{one.counted.sum():,}", percent(one.floor), percent(one.ceiling))
        for one in found
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.judges",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=32, help="of the pictures, in pixels (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("trials/judges"), help="folder for data and judges (%(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder for downloads (%(default)s)")
    main(parser.parse_args())
