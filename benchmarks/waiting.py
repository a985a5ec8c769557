"""What a waiting thread of OpenMP costs: images trained per second on a quiet and on a busy machine.

    .venv/bin/python -m benchmarks.waiting

Between parallel regions libgomp's threads spin until the others have come, and where those are not scheduled they spin
in vain. Each way of waiting is tried alone, beside a second training and beside one busy process, in turn within one
run, so that the ratios hold on a noisy machine; medians over rounds.
"""

import os
import statistics
import subprocess
import sys

WAYS: dict[str, dict[str, str]] = {
    "libgomp's own": {},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
}
ROUNDS = 3
SECONDS = 6
# PyTorch comes first, so that what is tried stands: importing fm settles it otherwise.
TRAIN = f"""
import time, torch
from fm.conditions import Label
from fm.networks import UNetOptions
from fm.batches import Batch
from fm.noise import Draws, Purpose
from fm.objectives import Regression
network = UNetOptions(width=32, blocks=1, multipliers=(1, 2)).build((1, 28, 28), {{"label": Label(10)}})
optimizer = torch.optim.AdamW(network.parameters())
objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
x1, condition = torch.randn(64, 1, 28, 28), {{"label": torch.randint(0, 10, (64,))}}
draws = Draws(0, range(64)).ahead({{}}, {{Purpose.TIME: 1}})
print("ready", flush=True)
input()
steps, started = 0, time.perf_counter()
while time.perf_counter() - started < {SECONDS}:
    loss = objective.loss(network, Batch(x1, condition, condition, draws, torch.randn_like(x1)), network)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    steps += 1
print(steps * 64 / (time.perf_counter() - started))
"""
BUSY = "while True: pass"


CASES = ("alone", "two", "beside a busy process")


def main() -> None:
    rates: dict[tuple[str, str], list[float]] = {(way, case): [] for way in WAYS for case in CASES}
    for _ in range(ROUNDS):
        for way, case in rates:
            rates[way, case].append(rate(case, WAYS[way]))
    print(f"images/s of each training, {os.cpu_count()} cores, medians of {ROUNDS} rounds")
    for way in WAYS:
        print(f"{way}: " + ", ".join(f"{case} {statistics.median(rates[way, case]):.0f}" for case in CASES))


def rate(case: str, variables: dict[str, str]) -> float:
    """Images per second of a training, the mean where there are two."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    if case != "beside a busy process":
        return statistics.mean(trainings(2 if case == "two" else 1, others | variables))
    with subprocess.Popen([sys.executable, "-c", BUSY]) as busy:
        try:
            return statistics.mean(trainings(1, others | variables))
        finally:
            busy.kill()


def trainings(count: int, environment: dict[str, str]) -> list[float]:
    """Images per second of each of `count` trainings that begin at the same time."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(count)
    ]
    for one in running:
        assert one.stdout is not None
        one.stdout.readline()
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    return [float(one.communicate()[0]) for one in running]


if __name__ == "__main__":
    main()
