"""Checkpoints of a training: the last and the one before, each whole, finite and of this very training, or not used."""

import contextlib
import hashlib
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from fm.arithmetic import Arithmetic
from fm.errors import UserError
from fm.finite import not_finite
from fm.training.background import Background
from fm.training.staging import Copies

KEY, FORM, ARITHMETIC, DIGEST = "training.key", "training.form", "training.arithmetic", "sha256"
THIS_FORM = 2
"""Of what lies in one; the first had no number, counted steps elsewhere and kept the average as Lightning does."""


class Store(Protocol):
    """Where the checkpoints of a training are: Files, or Folders of what several processes write.

    Attributes:
        place: where; for people.

    >>> def begun(store: Store) -> bool:
    ...     return store.usable(set_aside=False)[0] is not None
    >>> begun(Files(Path("nowhere/last.ckpt"), key="of these settings"))
    False
    """

    place: Any

    def usable(self, set_aside: bool) -> tuple[Any, list[str]]:
        """The newest checkpoint that can be gone on from, if there is one, and what is wrong with those that are newer.

        Args:
            set_aside: rename those that cannot be used, so that none of them is taken for the one before.
        """

    def said(self, found: Any) -> Mapping[str, Any]:
        """What is in a checkpoint besides numbers."""

    def wait(self) -> None:
        """Until all that was saved is written. Raises what kept it from being."""


class Files(TorchCheckpointIO):
    """Keeps one file and the one before it, each written while the training goes on.

    Args:
        path: of the last one.
        key: names the training, so that no other takes its checkpoints for its own.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     files = Files(Path(folder) / "last.ckpt", key="of these settings")
    ...     files.save_checkpoint({"global_step": 4, "weight": torch.ones(3)})
    ...     files.wait()
    ...     newest, wrong = files.usable(set_aside=True)
    ...     torch.load(newest)["weight"]
    tensor([1., 1., 1.])
    """

    def __init__(self, path: Path, key: str) -> None:
        self.place = path
        self.key = key
        self._background = Background()
        self._copies = Copies()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any = None, storage_options: Any = None) -> None:
        """Copy what `checkpoint` holds, and write it while the training goes on."""
        self.wait()  # the copy that is being written is overwritten by the next
        self._background.start(partial(self._write, self._copies.of(checkpoint)))

    def wait(self) -> None:
        self._background.wait()

    def _write(self, content: dict[str, Any]) -> None:
        if name := next(not_finite(content), None):
            raise UserError(f"the checkpoint of step {content['global_step']} is not saved: {name} is not finite")
        content[KEY] = self.key
        content[FORM] = THIS_FORM
        content[DIGEST] = digest(content)
        partial_file = self.place.with_suffix(".partial")
        with partial_file.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        if self.place.exists():
            self.place.replace(before(self.place))
        partial_file.replace(self.place)

    def usable(self, set_aside: bool) -> tuple[Path | None, list[str]]:
        return usable(self.place, self.key, set_aside)

    def said(self, found: Path) -> Mapping[str, Any]:
        return dict(torch.load(found, map_location="meta", mmap=True, weights_only=True))


class Checkpoint(Callback):
    """Saves every so many steps and on SIGTERM.

    Args:
        store: where to.
        arithmetic: how the training computes.
        resumed: what it went on from.
    """

    def __init__(self, store: Store, every: int, arithmetic: Arithmetic, resumed: Any) -> None:
        self.store = store
        self.every = every
        self.arithmetic = arithmetic
        self.newest = resumed
        self.step = 0

    def due(self, trainer: Trainer) -> bool:
        # Not after the last step: Lightning resumes a finished training by doing nothing, averaging weights included.
        return trainer.global_step % self.every == 0 and trainer.global_step != trainer.max_steps

    def last_good(self) -> str:
        """In words."""
        self.store.wait()
        return (
            f"the last good checkpoint, of step {self.step}, is {self.newest}"
            if self.newest
            else "no checkpoint was saved"
        )

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called when the processes have met, and nothing is read yet.

        Raises:
            UserError: they would go on from different steps, and wait for each other for ever.
        """
        step = 0 if self.newest is None else self.store.said(self.newest)["global_step"]
        if step != (first := trainer.strategy.broadcast(step)):
            raise UserError(
                f"process {trainer.global_rank}, on {platform.node()}, finds the checkpoint of step {step} in "
                f"{self.store.place}, the first process that of step {first}: checkpoints have to be in a folder that "
                "all machines share, or in a store, as docs/operate.md says"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.due(trainer):
            self.save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.store.wait()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException):
            if trainer.global_step != trainer.max_steps:
                self.save(trainer)
            self.store.wait()
        with contextlib.suppress(Exception):  # what has ended the training is what is told
            self.store.wait()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[ARITHMETIC] = asdict(self.arithmetic)

    def save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.store.place, weights_only=False)
        self.newest, self.step = self.store.place, trainer.global_step


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


def arithmetic_of(store: Store, found: Any) -> Arithmetic:
    """How the training computed that has saved this checkpoint."""
    return Arithmetic(**store.said(found)[ARITHMETIC])


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
