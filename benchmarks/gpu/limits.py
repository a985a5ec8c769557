"""What the machine is, and what it can do at most: the measure of everything else."""

import os
import platform
import subprocess
from collections.abc import Iterator

import torch

from benchmarks.gpu.rows import Figure, Row
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.timing import alternate


def rows(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    yield Figure("machine", machine(device))
    for precision, rate in products(device, sizes).items():
        yield Figure(f"matrix product of side {sizes.square}, {precision}", {"TFLOP/s": rate / 1e12})


def machine(device: torch.device) -> dict[str, float | int | str]:
    found: dict[str, float | int | str] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or device.type,
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit(),
    }
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        found |= {
            "memory, GiB": torch.cuda.get_device_properties(device).total_memory / 2**30,
            "capability": f"{major}.{minor}",
            "CUDA": str(torch.version.cuda),
        }
    return found


def commit() -> str:
    try:
        asked = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(asked, capture_output=True, check=True, text=True, encoding="utf-8").stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def products(device: torch.device, sizes: Sizes) -> dict[str, float]:
    """Floating-point operations per second of a square matrix product."""
    a, b = (torch.randn(sizes.square, sizes.square, device=device) for _ in range(2))
    halves = a.bfloat16(), b.bfloat16()

    def full(tf32: bool) -> None:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.mm(a, b)

    jobs = {"bf16": lambda: torch.mm(*halves), "float32": lambda: full(False)}
    if device.type == "cuda":
        jobs["TF32"] = lambda: full(True)
    seconds = alternate(jobs, device, sizes.seconds)
    return {name: 2 * sizes.square**3 / one for name, one in seconds.items()}
