"""A program that is run for its lines, for so long and no longer."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import fm  # noqa: F401 - says in our environment, which programs inherit, how OpenMP's threads wait

ROOT = Path(__file__).resolve().parents[2]
DETERMINISTIC = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # else cuBLAS may differ from itself


def told_by(command: Sequence[str], seconds: float) -> tuple[list[str], str]:
    """The lines that it printed, and what went wrong, in words: nothing where nothing did.

    What it starts itself, workers and compilers, ends with it.
    """
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=DETERMINISTIC | dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            told, complained = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            told, _ = process.communicate()
            return whole_lines(told), f"ended after {seconds:.0f} s"
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        return whole_lines(told), (complained.strip() or f"ended with {process.returncode}").splitlines()[-1]
    return whole_lines(told), ""


def whole_lines(told: str) -> list[str]:
    """Without one that was being written."""
    return told[: told.rfind("\n") + 1].splitlines()
