"""Averaged networks that a training keeps along the way."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from fm.generator_files import CONFIG, WEIGHTS, share_codec
from fm.training.trainee import Trainee


class Snapshots(Callback):
    """Keeps the averaged network after some of the steps, as generator folders named by the images seen.

    Those that have changed since by the training's end, resumed or not, are left out with a word.

    Args:
        name: of those beside the network's own average.
    """

    def __init__(self, folder: Path, steps: Sequence[int], averaged: Callable[[], Trainee], name: str = "") -> None:
        self.folder = folder
        self.steps = frozenset(steps)
        self.sums: dict[str, str | None] = {}
        self.averaged = averaged
        self.name = name

    @property
    def state_key(self) -> str:
        """Lightning's, by which checkpoints tell callbacks of one class apart."""
        return super().state_key + self.name

    def due(self, trainer: Trainer) -> bool:
        return trainer.global_step in self.steps

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        if not self.due(trainer):
            return
        averaged = self.averaged()  # of whose weights each process may have a part
        if trainer.is_global_zero:
            place = self.folder / str(trainer.global_step * pl_module.budget.batch_size)
            partial = place.with_suffix(".partial")
            averaged.save(partial)
            share_codec(partial)  # an autoencoder would be there as often as there are snapshots
            shutil.rmtree(place, ignore_errors=True)  # of a training that was killed before its next checkpoint
            partial.replace(place)
            self.sums[place.name] = checksum(place)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        for name in [name for name, expected in self.sums.items() if checksum(self.folder / name) != expected]:
            print(f"{self.folder / name} is damaged and left out", flush=True)
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.sums)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums = dict(state)


def checksum(folder: Path) -> str | None:
    """SHA-256 of a generator's files, one after the other; none where there are none."""
    try:
        content = b"".join((folder / name).read_bytes() for name in (CONFIG, WEIGHTS))
    except OSError:
        return None
    return hashlib.sha256(content).hexdigest()


def snapshot_steps(steps: int, count: int) -> list[int]:
    """`count` steps that cut a training of `steps` into equal parts; fewer where there are not so many steps."""
    return sorted({steps * part // (count + 1) for part in range(1, count + 1)} - {0})
