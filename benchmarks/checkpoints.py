"""How long a training waits for its checkpoints, beside what a step takes.

    .venv/bin/python -m benchmarks.checkpoints [millions of weights]

A transformer is trained with and without checkpoints in turn. A step after which one is saved takes longer by the copy
that is made of weights, averaged weights and AdamW's two, those after it by what the writing takes of the processors.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from fm import devices
from fm.batches import Budget
from fm.networks import Network
from fm.training.checkpoint_folders import Folders
from fm.training.checkpoints import Files
from fm.training.ema import Average
from fm.training.loop import optimizer_of
from fm.training.planning import Setting, step

WIDTH, SHAPE, BATCH = 512, (4, 16, 16), 16
STEPS, ROUNDS = 5, 3  # after a checkpoint; with one


def main(millions: int) -> None:
    device = devices.pick()
    options = {
        "name": "transformer",
        "width": WIDTH,
        "heads": 8,
        "blocks": max(round(millions * 1e6 / (18 * WIDTH**2)), 1),
    }
    network = Network.of(options).build(SHAPE, {}).to(device)
    average = Average(network, decay=0.999)
    optimizer, _ = optimizer_of(network, Budget(images_seen=1, batch_size=1, learning_rate=1e-4))

    def one() -> float:
        started = time.perf_counter()
        step(network, average, optimizer, torch.randn(BATCH, *SHAPE, device=device), {}, Setting(precision="32-true"))
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    def content() -> dict[str, object]:
        return {
            "global_step": 1,
            "state_dict": network.state_dict(),
            "averaged": average.network.state_dict(),
            "optimizer_states": [optimizer.state_dict()],
        }

    one()
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{weights / 1e6:.0f} million weights, {16 * weights / 1e9:.2f} GB a checkpoint, {device}")
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (
            ("one file", Files(Path(folder) / "last.ckpt", "a training")),
            ("a folder", Folders(Path(folder) / "parts", "a training")),
        ):
            tell(name, store, one, content)


def tell(name: str, store: Files | Folders, one: Callable[[], float], content: Callable[[], dict[str, object]]) -> None:
    waits, without, beside, written = [], [], [], []
    store.save_checkpoint(content())  # the first makes room for the copy
    store.wait()
    for _ in range(ROUNDS):
        without += [one() for _ in range(STEPS)]
        started = time.perf_counter()
        store.save_checkpoint(content())
        waits.append(time.perf_counter() - started)
        beside += [one() for _ in range(STEPS)]
        store.wait()
        written.append(time.perf_counter() - started)
    plain, waited, slowed = (statistics.median(times) for times in (without, waits, beside))
    print(
        f"{name}: a step takes {plain:.3f} s, a checkpoint stops it for {waited:.3f} s ({waited / plain:.2f} steps); "
        f"while it is written steps take {slowed / plain:.2f}; written after {statistics.median(written):.2f} s"
    )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checkpoints", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("millions", nargs="?", type=int, default=50, help="of weights (%(default)s)")
    return parser


if __name__ == "__main__":
    main(arguments().parse_args().millions)
