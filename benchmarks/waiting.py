"""What a waiting thread of OpenMP costs: images trained per second on a quiet and on a busy machine.

    .venv/bin/python -m benchmarks.waiting                              # the ways that docs/performance.md compares
    .venv/bin/python -m benchmarks.waiting GOMP_SPINCOUNT=500           # another, beside libgomp's own

Between parallel regions libgomp's threads spin until the others have come, and where those are not scheduled they spin
in vain. Each way of waiting is tried alone, beside a second training, a busy process, and three of several
threads, in turn within one run, so that the ratios hold on a noisy machine; medians over rounds.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, product

from benchmarks.bars import Bar
from benchmarks.gpu.report import table
from pipelines.machine import Moment

Variables = dict[str, str]

OWN = "libgomp's own"
OURS = "ours"
WAYS: dict[str, Variables] = {
    OWN: {},
    OURS: {"BENCHMARK_OURS": "1"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
}
ROUNDS = 5
SECONDS = 1.5
TRIES = 5
QUIET = 0.1
"""Processors that others may keep busy."""
# PyTorch comes first, so that what is tried stands: importing fm settles it otherwise.
TRAIN = """
import os, sys, time
if "BENCHMARK_OURS" in os.environ: import fm
import torch
from fm.conditions import Label
from fm.networks import UNetOptions
from fm.batches import Batch
from fm.noise import Draws, Purpose
from fm.objectives import Regression
network = UNetOptions(width=32, blocks=1, multipliers=(1, 2)).build((1, 28, 28), {"label": Label(10)})
optimizer = torch.optim.AdamW(network.parameters())
objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
x1, condition = torch.randn(64, 1, 28, 28), {"label": torch.randint(0, 10, (64,))}
draws = Draws(0, range(64)).ahead(Purpose.TIME)
def step():
    loss = objective.loss(network, Batch(x1, condition, condition, draws, torch.randn_like(x1)), network)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
step()
print("ready", flush=True)
for line in sys.stdin:
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < float(line):
        step()
        steps += 1
    print(steps * 64 / (time.perf_counter() - started), flush=True)
"""
BUSY = "print('ready', flush=True)\nwhile True: pass"
# As another project's program would be: with libgomp's own way of waiting.
THREADS = """
import torch
a = torch.randn(512, 512)
print('ready', flush=True)
while True: torch.mm(a, a).sin().sum()
"""
CASES: dict[str, tuple[int, list[str]]] = {
    "alone": (1, []),
    "each of two": (2, []),
    "beside a busy process": (1, [BUSY]),
    "beside three of several threads": (1, [THREADS] * 3),
}
"""How many trainings, and what runs beside them."""
LEAST = {"alone": 0.97, "each of two": 0.45, "beside a busy process": 0.45, "beside three of several threads": 0.8 / 4}
"""The least part of libgomp's own rate on a quiet machine: of a fair share, a quarter, four fifths."""

Rates = dict[str, dict[str, float]]
Process = subprocess.Popen[str]


def as_it_is(ways: Mapping[str, Variables]) -> None:
    """Among whatever else runs now, one training at a time, in turn."""
    began = Moment.now()
    with ExitStack() as stack:
        trainings = {way: stack.enter_context(started(TRAIN, plain() | variables)) for way, variables in ways.items()}
        rounds = [{way: rates([one])[0] for way, one in trainings.items()} for _ in range(ROUNDS)]
    cells = [(way, f"{statistics.mean(one[way] for one in rounds):.0f}") for way in ways]
    print(f"others kept {began.load().others:.1f} processors busy; means of {ROUNDS} rounds\n")
    print(table(("", "images/s"), cells))


def main(ways: Mapping[str, Variables]) -> None:
    print(f"images/s of each training on {os.cpu_count()} cores, medians of {ROUNDS} rounds; part of {OWN} alone\n")
    found = measured(ways)
    quiet = found[OWN]["alone"]
    cells = [(way, *(f"{rate:.0f} ({rate / quiet:.2f})" for rate in rates.values())) for way, rates in found.items()]
    print(table(("", *CASES), cells))


def bars() -> Iterator[Bar]:
    found = measured({OWN: WAYS[OWN], OURS: WAYS[OURS]})
    for case, least in LEAST.items():
        yield Bar(f"training {case}, of libgomp's own alone", found[OURS][case] / found[OWN]["alone"], least)


def measured(ways: Mapping[str, Variables]) -> Rates:
    """Images per second of a training, the mean where there are two, for each way and case."""
    rounds: dict[str, dict[str, list[float]]] = {way: {case: [] for case in CASES} for way in ways}
    most = max(count for count, _ in CASES.values())
    with ExitStack() as stack:
        trainings = {
            way: [stack.enter_context(started(TRAIN, plain() | variables)) for _ in range(most)]
            for way, variables in ways.items()
        }
        beside = {case: [stack.enter_context(started(code, plain())) for code in CASES[case][1]] for case in CASES}
        for one in chain(*beside.values()):
            one.send_signal(signal.SIGSTOP)
        for _, case, way in product(range(ROUNDS), CASES, ways):
            with running(beside[case]):
                rounds[way][case].append(undisturbed(trainings[way][: CASES[case][0]]))
    return {way: {case: statistics.median(values) for case, values in cases.items()} for way, cases in rounds.items()}


def plain() -> dict[str, str]:
    """Our environment without what it says of OpenMP."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}


def undisturbed(trainings: list[Process]) -> float:
    """Images per second of each training, measured again where others than ours took the processors meanwhile, and of
    the quietest time if there is no quiet one."""
    found: list[tuple[float, float]] = []
    for _ in range(TRIES):
        began = Moment.now()
        rate = statistics.mean(rates(trainings))
        found.append((began.load().others, rate))
        if found[-1][0] < QUIET:
            break
    return min(found)[1]


def rates(trainings: list[Process]) -> list[float]:
    """Images per second of each of these that train at the same time."""
    for one in trainings:
        assert one.stdin is not None
        one.stdin.write(f"{SECONDS}\n")
        one.stdin.flush()
    return [float(one.stdout.readline()) for one in trainings if one.stdout is not None]


@contextmanager
def started(code: str, environment: Variables) -> Iterator[Process]:
    """A process that has said that it is ready; it is ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


@contextmanager
def running(processes: list[Process]) -> Iterator[None]:
    """Processes that run within the block and stand still outside it."""
    for one in processes:
        one.send_signal(signal.SIGCONT)
    yield
    for one in processes:
        one.send_signal(signal.SIGSTOP)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("ways", nargs="*", metavar="NAME=value[,NAME=value]", help="ways of waiting to be compared")
    parser.add_argument("--as-it-is", action="store_true", help="only among whatever else runs now")
    return parser


def variables(way: str) -> Variables:
    return dict(one.split("=", 1) for one in way.split(","))


if __name__ == "__main__":
    asked = arguments().parse_args()
    chosen = {OWN: WAYS[OWN]} | {way: variables(way) for way in asked.ways} if asked.ways else WAYS
    (as_it_is if asked.as_it_is else main)(chosen)
