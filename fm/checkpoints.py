"""Checkpoints of a training: the last and the one before, each whole, finite and of this very training, or not used."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from fm.arithmetic import Arithmetic
from fm.divergence import Diverged
from fm.finite import not_finite

KEY, FORM, ARITHMETIC, DIGEST = "training.key", "training.form", "training.arithmetic", "sha256"
THIS_FORM = 2
"""Of what lies in a file; the first had no number, counted steps elsewhere and kept the average as Lightning does."""


class Checkpoint(Callback):
    """Saves to one file every so many steps and on SIGTERM; the file is always whole, and the one before stays.

    Args:
        key: names the training, so that no other takes its checkpoints for its own.
        arithmetic: how it computes.
        resumed: what the training went on from.
    """

    def __init__(self, path: Path, every: int, key: str, arithmetic: Arithmetic, resumed: Path | None) -> None:
        self.path = path
        self.every = every
        self.key = key
        self.arithmetic = arithmetic
        self.newest = resumed
        self.step = 0

    def due(self, trainer: Trainer) -> bool:
        # Not after the last step: Lightning resumes a finished training by doing nothing, averaging weights included.
        return trainer.global_step % self.every == 0 and trainer.global_step != trainer.max_steps

    def last_good(self) -> str:
        """In words."""
        return (
            f"the last good checkpoint, of step {self.step}, is {self.newest}"
            if self.newest
            else "no checkpoint was saved"
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.due(trainer):
            self.save(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException) and trainer.global_step != trainer.max_steps:
            self.save(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if next(not_finite(checkpoint), None):
            raise Diverged("a weight is", trainer.global_step, pl_module.budget, self.last_good())
        checkpoint[KEY] = self.key
        checkpoint[FORM] = THIS_FORM
        checkpoint[ARITHMETIC] = asdict(self.arithmetic)
        checkpoint[DIGEST] = digest(checkpoint)

    def save(self, trainer: Trainer) -> None:
        partial = self.path.with_suffix(".partial")
        trainer.save_checkpoint(partial, weights_only=False)
        if trainer.is_global_zero:
            if self.path.exists():
                self.path.replace(before(self.path))
            partial.replace(self.path)
        self.newest, self.step = self.path, trainer.global_step


def before(path: Path) -> Path:
    """Where the checkpoint before that at `path` is."""
    return path.with_name(f"before-{path.name}")


def usable(path: Path, key: str, set_aside: bool) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that the training `key` can go on from, and what is wrong with those that are newer.

    Args:
        path: of the last one.
        set_aside: rename those that cannot be used, so that none of them is taken for the one before.
    """
    wrong: list[str] = []
    for candidate in (path, before(path)):
        try:
            why = problem(candidate, key)
        except FileNotFoundError:
            continue
        if why is None:
            return candidate, wrong
        wrong.append(f"{candidate} {why}")
        if set_aside:
            put_aside(candidate)
    return None, wrong


def problem(path: Path, key: str) -> str | None:
    """Why the training `key` cannot go on from a file, if it cannot. Raises FileNotFoundError where there is none."""
    if not path.is_file():
        path.lstat()
        return "is no file"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        expected = content.pop(DIGEST)
        found = digest(content)
    except (FileNotFoundError, MemoryError):
        raise
    except Exception:  # there is no end to what reading a damaged file can raise
        return "cannot be read"
    if found != expected:
        return "is damaged: its checksum does not fit"
    if content.get(FORM) != THIS_FORM:
        return "is an earlier version's"
    if content[KEY] != key:
        return "is another training's"
    if name := next(not_finite(content), None):
        return f"is not finite: {name}"
    return None


def arithmetic_of(path: Path) -> Arithmetic:
    """How the training computed that has saved this file; of its tensors nothing is read."""
    return Arithmetic(**torch.load(path, map_location="meta", mmap=True, weights_only=True)[ARITHMETIC])


def put_aside(path: Path) -> None:
    """Out of the way under another name, instead of what was put there earlier."""
    place = path.with_name(f"{path.name}.damaged")
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    path.rename(place)


def digest(content: Any) -> str:
    """SHA-256 of nested mappings and lists of tensors and plain values, in hexadecimal."""
    found = hashlib.sha256()

    def take(value: Any) -> None:
        if isinstance(value, Tensor):
            found.update(f"{value.dtype} {tuple(value.shape)}".encode())
            found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, Mapping):
            take([part for item in value.items() for part in item])
        elif isinstance(value, list | tuple):
            found.update(f"{len(value)} of ".encode())
            for part in value:
                take(part)
        else:
            found.update(f"{value!r} ".encode())

    take(content)
    return found.hexdigest()
