"""One section of the check, in a process of its own: what breaks a device's memory or hangs breaks one section alone.

    python -m benchmarks.gpu.section training

Its rows go to standard output, a line each; what else is printed goes to the standard error.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator

import torch

from benchmarks.gpu import correctness, lightning, limits, objectives, producer, resumed, sampling, training
from benchmarks.gpu.rows import Row, as_line
from benchmarks.gpu.sizes import LARGE, SMALL, Sizes
from fm import devices

SECTIONS: dict[str, Callable[[torch.device, Sizes], Iterator[Row]]] = {
    "limits": limits.rows,
    "correctness": correctness.rows,
    "resumed": resumed.rows,
    "training": training.rows,
    "sampling": sampling.rows,
    "producer": producer.rows,
    "lightning": lightning.rows,
    "objectives": objectives.rows,
    "compiled-training": training.compiled,
    "compiled-sampling": sampling.compiled,
}


def main(name: str) -> None:
    device = devices.pick()
    sizes = SMALL if device.type == "cpu" else LARGE
    lines = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for row in SECTIONS[name](device, sizes):
            print(as_line(row), file=lines, flush=True)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu.section", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("name", choices=SECTIONS)
    return parser


if __name__ == "__main__":
    main(arguments().parse_args().name)
