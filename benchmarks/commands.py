"""What commands cost that compute nothing: seconds of the processor and of the clock, in a checkout that has been run.

    make run && .venv/bin/python -m benchmarks.commands

The processor's seconds are those of a command and all that it starts: they hold on a shared machine too, where the
clock's say more of the others. Medians.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

BIN = Path(sys.executable).parent
COMMANDS = {
    "`import torch`, for comparison": [sys.executable, "-c", "import torch"],
    "`import prefect`, for comparison": [sys.executable, "-c", "import prefect"],
    "the settings read and checked": [sys.executable, "-c", "from pipelines import params; params.load()"],
    "a refused setting: `python -m flows.pipeline train.seed=-1`": [
        sys.executable,
        "-m",
        "flows.pipeline",
        "train.seed=-1",
    ],
    "`python -m pipelines.resolve`": [sys.executable, "-m", "pipelines.resolve"],
    "`dvc repro`, nothing to do": [str(BIN / "dvc"), "repro"],
    "`make run`, nothing to do": ["make", "run"],
    "of that, registration: `python -m pipelines.register`": [sys.executable, "-m", "pipelines.register"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of all commands in turn (%(default)s)")
    rounds = parser.parse_args().rounds
    taken = {name: [cost(command) for _ in range(rounds)] for name, command in COMMANDS.items()}
    print("| command | processor, s | clock, s |\n|---|---|---|")
    for name, each in taken.items():
        processor, clock = (median(column) for column in zip(*each, strict=True))
        print(f"| {name} | {processor:.1f} | {clock:.1f} |")


def cost(command: list[str]) -> tuple[float, float]:
    """Seconds of the processor and of the clock."""
    before, started = processor(), time.monotonic()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return processor() - before, time.monotonic() - started


def processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
