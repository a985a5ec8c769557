"""Whether the library computes on this machine's GPU what it computes on a CPU, and how fast.

    make gpu-check                                        # or, where PyTorch is and the pipeline's packages are not:
    python -m benchmarks.gpu_check --out some/folder      # needs torch, numpy, pydantic and safetensors

At most 8 minutes; without a GPU small sizes on the CPU, in about one. Each section has a process and a time of its own:
one that fails, hangs or breaks the device says so in the table, and the others go on. The exit code is 0 if all that
must hold was looked at and holds.
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.gpu import report
from benchmarks.gpu.others import Clocks, taken
from benchmarks.gpu.processes import told_by
from benchmarks.gpu.rows import Check, Fault, Figure, Row, from_line

TITLES = {
    "limits": "The machine",
    "correctness": "The device against the CPU",
    "resumed": "Stopped and resumed: the same bytes",
    "training": "Training steps",
    "sampling": "Sampling",
    "producer": "What a step waits for",
    "lightning": "A whole training",
    "objectives": "Objectives for few steps",
    "compiled-sampling": "Sampling, compiled",
    "compiled-training": "Training steps, compiled",
}
SECONDS = {"limits": 40, "correctness": 120, "resumed": 120, "compiled-training": 180}
"""The most that a section may take, of 90 by default."""
MUST = ("correctness", "resumed")
"""The sections without which nothing is known to be correct."""
LEAST = 5
"""Seconds without which no section is begun."""


def main(out: Path, seconds: float, sections: list[str]) -> bool:
    """Whether everything that must hold does."""
    ends = time.monotonic() + seconds
    findings: dict[str, list[Row]] = {}
    for name in sections:
        print(f"{TITLES[name]} ...", flush=True)
        started = time.monotonic()
        findings[name] = rows_of(name, min(SECONDS.get(name, 90), ends - started))
        report.write(out, findings, TITLES)  # after each: what is cut off from outside has left what it found
        print(f"    {time.monotonic() - started:.0f} s", flush=True)
    print(report.page(findings, TITLES))
    print(f"in {out}: gpu-check.json, gpu-check.md")
    return report.correct(findings)


def rows_of(name: str, seconds: float) -> list[Row]:
    """What a section has found within so many seconds."""
    if seconds < LEAST:
        return [unknown(name, "no time was left")]
    began = Clocks.now()
    lines, wrong = told_by([sys.executable, "-m", "benchmarks.gpu.section", name], seconds)
    rows = [from_line(line) for line in lines] + ([unknown(name, wrong)] if wrong else [])
    disturbed = taken(began, Clocks.now()) if any(isinstance(row, Figure) for row in rows) else ""
    return rows + ([Fault("speed on a quiet machine", disturbed)] if disturbed else [])


def unknown(name: str, why: str) -> Row:
    what = f"{TITLES[name]}, to the end"
    return Check(f"{what}: {why}", float("inf"), 0) if name in MUST else Fault(what, why)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="folder for the findings (%(default)s)")
    parser.add_argument("--seconds", type=float, default=470, help="the most that it takes (%(default)s)")
    parser.add_argument("sections", nargs="*", metavar="section", help=f"by default all: {', '.join(TITLES)}")
    return parser


if __name__ == "__main__":
    asked = arguments().parse_args()
    if wrong := set(asked.sections) - TITLES.keys():
        arguments().error(f"no section {', '.join(sorted(wrong))}: there are {', '.join(TITLES)}")
    sys.exit(0 if main(asked.out, asked.seconds, asked.sections or list(TITLES)) else 1)
