"""Few-step methods beside flow matching: trained alike, measured at 1, 2, 4 and 10 calls of the network.

    .venv/bin/python -m benchmarks.few_steps digits --seeds 0 1 2 --out trials       # minutes a training
    .venv/bin/python -m benchmarks.few_steps --table trials/digits.jsonl             # what was found, as Markdown
    .venv/bin/python -m benchmarks.few_steps fashion-mnist --cost                    # a training step of each objective

Rows are those of params.yaml and of methods/, by name. Each is measured when it has seen as many images as the first
row, and when it has trained as long, by steps that are timed in turn before. A line of JSON is written
for each row, seed and sampler as soon as it is known, and sheets of images for seed 0. It needs neither DVC, MLflow nor
Prefect, and uses a GPU where there is one.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from benchmarks.few import cost, table, trial
from benchmarks.few.bench import Bench, make, rows_of, settings_of
from benchmarks.few.trial import PRECISIONS, Mark, Trial

ROWS = ("flow_matching", "mean_flow", "shortcut", "edm")
EVALUATIONS = (1, 2, 4, 10)
DATASETS = ("digits", "fashion-mnist")


def main(asked: argparse.Namespace) -> None:
    settings = settings_of(asked.dataset, asked.set)
    rows = list(rows_of(settings, asked.rows))
    asked.out.mkdir(parents=True, exist_ok=True)
    folder = asked.out / asked.dataset
    make(folder, settings, asked.cache)
    bench = Bench.load(folder, settings)
    file = asked.out / f"{asked.dataset}.jsonl"
    marks = marks_of(bench, rows, asked)
    jobs = [
        Trial(row, seed, tuple(marks[row]), tuple(asked.evaluations), asked.precision, asked.jobs)
        for seed in asked.seeds
        for row in rows
    ]
    if asked.jobs == 1:
        for one in jobs:
            run(bench, one, file, asked.out)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes below, which share the processors
    context = multiprocessing.get_context("spawn")
    given = folder, asked.dataset, asked.set, file, asked.out
    with ProcessPoolExecutor(asked.jobs, context, initializer=begin, initargs=given) as pool:
        for done in as_completed([pool.submit(work, one) for one in jobs]):
            done.result()


def marks_of(bench: Bench, rows: Sequence[str], asked: argparse.Namespace) -> dict[str, list[Mark]]:
    """When each row is measured."""
    budgets, size = asked.images or [bench.settings.train.images_seen], bench.settings.train.batch_size
    marks: dict[str, list[Mark]] = {row: [] for row in rows}
    if asked.equal in ("images", "both"):
        marks = {row: [Mark(images, "images", images // size) for images in budgets] for row in rows}
    if asked.equal in ("time", "both"):
        ratios = dict(asked.ratios) or cost.ratios_of_steps(bench, rows, asked.precision, asked.seconds)
        for row in rows:
            share = 1 / ratios[row]
            print(f"{row}: a step takes {ratios[row]:.3f} of {rows[0]}'s", flush=True)
            steps = [max(round(images // size * share), 1) for images in budgets]
            marks[row] += [Mark(images, "time", at) for images, at in zip(budgets, steps, strict=True)]
    return marks


HERE: dict[str, Any] = {}
"""What a process has, once it has begun."""


def begin(folder: Path, dataset: str, changes: Sequence[str], file: Path, sheets: Path) -> None:
    torch.set_num_threads(1)
    HERE.update(bench=Bench.load(folder, settings_of(dataset, changes)), file=file, sheets=sheets)


def work(one: Trial) -> None:
    run(HERE["bench"], one, HERE["file"], HERE["sheets"])


def run(bench: Bench, one: Trial, file: Path, sheets: Path) -> None:
    """Train and measure; what goes wrong with one training is told, and the others go on."""
    try:
        for line in trial.lines(bench, one, sheets):
            with file.open("a", encoding="utf-8") as written:
                written.write(json.dumps(line) + "\n")
            told = line.get("failed") or f"{line['distance']:.2f}"
            what = f"{one.row} seed {one.seed}, {line['images']:,} images ({line['equal']})"
            print(f"{what}: {line['sampler']} {line['steps']}: {told}; {line['seconds']:.1f} s", flush=True)
    except (ValueError, RuntimeError) as error:
        print(f"{one.row} seed {one.seed}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def costs(asked: argparse.Namespace) -> None:
    """A table of what steps cost, and the same as lines of JSON."""
    found: list[dict[str, Any]] = []
    asked.out.mkdir(parents=True, exist_ok=True)
    for network in ("unet", "transformer"):
        settings = settings_of(asked.dataset, [f"network.kind={network}", *asked.set])
        folder = asked.out / asked.dataset
        make(folder, settings, asked.cache)
        rows = list(rows_of(settings, asked.rows))
        found += cost.lines(Bench.load(folder, settings), rows, network, asked.precision, asked.seconds)
    with (asked.out / f"{asked.dataset}-cost.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in found)
    print(table.costs(found))


def tables(files: Sequence[Path], beside: str) -> None:
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    of_trials = [line for line in lines if "row" in line]
    of_steps = [line for line in lines if "objective" in line]
    print(
        "\n".join(
            [*([table.page(of_trials, beside)] if of_trials else []), *([table.costs(of_steps)] if of_steps else [])]
        )
    )


def ratio(text: str) -> tuple[str, float]:
    row, _, value = text.partition("=")
    return row, float(value)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.few_steps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", nargs="?", default="digits", choices=DATASETS)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), help="the first is what others are compared with")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--images", nargs="+", type=int, help="budgets; the dataset's own by default")
    parser.add_argument("--equal", choices=("images", "time", "both"), default="both", help="what each row has of")
    parser.add_argument(
        "--ratios",
        nargs="+",
        type=ratio,
        default=[],
        metavar="ROW=RATIO",
        help="of each row's step to the first row's, as they were timed before",
    )
    parser.add_argument("--evaluations", nargs="+", type=int, default=list(EVALUATIONS))
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the training")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, which share the device")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of params.yaml")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each kind of step is timed for")
    parser.add_argument("--out", type=Path, default=Path("few-steps"), help="folder of what is found")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="with downloads/<dataset> in it")
    parser.add_argument("--cost", action="store_true", help="time one step of each objective instead")
    parser.add_argument("--table", nargs="+", type=Path, metavar="FILE", help="what these files say, as Markdown")
    return parser


if __name__ == "__main__":
    given = arguments().parse_args()
    if given.table:
        tables(given.table, given.rows[0])
    else:
        (costs if given.cost else main)(given)
