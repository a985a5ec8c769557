"""What goes along with a training: the average of its weights, its curve, what its network makes, its progress."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor

from fm.arithmetic import Arithmetic
from fm.batches import Batch
from fm.training.ema import Average, PowerAverage
from fm.training.processes import mean_of_all
from fm.training.sharding import Sharded, without_weights

AVERAGED = "averaged"
"""In a checkpoint: the average."""


class Ema(Callback):
    """Averages the trained network's weights, where it is trained; in the end they are its own.

    Attributes:
        average: there from the callbacks' `setup` on, before weights are loaded, moved or divided among devices.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: Average | None = None

    @property
    def network(self) -> torch.nn.Module:
        """The network with averaged weights."""
        return self._average().network

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        if isinstance(trainer.strategy, Sharded):
            self.average = Average(without_weights(pl_module.network), self.decay)  # which it is given once divided
            return
        self.average = Average(pl_module.network, self.decay)
        # Lightning moves the trained one alone, and later: left where it is, every step would copy every weight.
        self.average.network.to(trainer.strategy.root_device)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        self._average().update(pl_module.network)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._average().give_to(pl_module.network)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[AVERAGED] = self._average().state_dict()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._average().load_state_dict(checkpoint[AVERAGED])

    def _average(self) -> Average:
        assert self.average is not None
        return self.average


class PowerAverages(Callback):
    """Averages the weights at several lengths, whatever the network's own average is; they are kept in snapshots.

    Attributes:
        averages: by their length; there from the callbacks' `setup` on.
    """

    def __init__(self, lengths: Sequence[float]) -> None:
        self.lengths = lengths
        self.averages: dict[float, PowerAverage] = {}

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        for length in self.lengths:
            self.averages[length] = PowerAverage(pl_module.network, length)
            self.averages[length].network.to(trainer.strategy.root_device)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        for average in self.averages.values():
            average.update(pl_module.network)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        for length, average in self.averages.items():
            checkpoint[f"{AVERAGED}_{length:g}"] = average.state_dict()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        for length, average in self.averages.items():
            average.load_state_dict(checkpoint[f"{AVERAGED}_{length:g}"])


class Point(NamedTuple):
    """One point of the training curve: means since the point before.

    >>> Point(step=100, images_seen=6400, loss=0.2, learning_rate=1e-3, gradient_norm=0.5).loss
    0.2
    """

    step: int
    images_seen: int
    loss: float
    learning_rate: float
    gradient_norm: float


@dataclass
class Totals:
    """What a training has used over all its resumptions, and how it computed.

    >>> Totals().resumed
    0
    """

    seconds: float = 0.0
    resumed: int = 0
    curve: list[Point] = field(default_factory=list)
    arithmetic: Arithmetic | None = None


class Curve(Callback):
    """Keeps the curve and the totals, in checkpoints too, and hands every new point to `report`.

    The numbers of the steps since the last point stay on the training's device: to ask for them there is to wait for
    all that it has been given to do.
    """

    def __init__(self, every: int, report: Callable[[Point, float], None]) -> None:
        self.every = every
        self.report = report
        self.totals = Totals()
        self.recent: list[Tensor] = []  # loss and gradient norm (2,) of each
        self._clock = 0.0

    def due(self, trainer: Trainer) -> bool:
        return trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.recent = [one.to(pl_module.device) for one in self.recent]
        self.totals.resumed += trainer.global_step > 0
        self._clock = time.perf_counter()
        self._last_point = self._clock

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int) -> None:
        now = time.perf_counter()
        self.totals.seconds += now - self._clock
        self._clock = now
        mean = mean_of_all(outputs["loss"])  # of the whole batch, whoever had the parts
        self.recent.append(torch.stack([mean.detach().float(), pl_module.gradient_norm.float()]))
        if self.due(trainer):
            self._add_point(trainer, pl_module.budget.batch_size, now)

    def _add_point(self, trainer: Trainer, batch_size: int, now: float) -> None:
        loss, norm = torch.stack(self.recent).cpu().double().mean(dim=0).tolist()
        count, step = len(self.recent), trainer.global_step
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        point = Point(step, step * batch_size, loss, rate, norm)
        self.totals.curve.append(point)
        self.recent = []
        self.report(point, count * batch_size / (now - self._last_point))
        self._last_point = now

    def state_dict(self) -> dict[str, Any]:
        return {
            "seconds": self.totals.seconds,
            "resumed": self.totals.resumed,
            "curve": [list(point) for point in self.totals.curve],
            "recent": [one.cpu() for one in self.recent],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        curve = [Point(*values) for values in state["curve"]]
        self.totals = Totals(state["seconds"], state["resumed"], curve)
        self.recent = list(state["recent"])


class Samples(Callback):
    """Shows what is trained with averaged weights, every so many steps: a generator what it makes of fixed noise."""

    def __init__(self, every: int, averaged: Callable[[], Any], show: Callable[[int, Any], None]) -> None:
        self.every = every
        self.averaged = averaged
        self.show = show

    def due(self, trainer: Trainer) -> bool:
        return trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.due(trainer):  # in every process: each may have a part of the weights
            self.show(trainer.global_step, self.averaged())


class ProgressLine(Callback):
    """A bar with images/s and time left on a terminal, a plain line every tenth elsewhere."""

    def __init__(self, title: str, batch_size: int) -> None:
        self.title = title
        self.batch_size = batch_size
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start_step, self.started = trainer.global_step, time.perf_counter()
        if sys.stdout.isatty() and trainer.is_global_zero:
            columns = (TextColumn(self.title), BarColumn(), TextColumn("{task.fields[rate]:.0f} images/s"))
            self.bar = Progress(*columns, TimeRemainingColumn())
            self.task = self.bar.add_task("", total=trainer.max_steps, completed=self.start_step, rate=0.0)
            self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        step, total = trainer.global_step, trainer.max_steps
        elapsed = time.perf_counter() - self.started
        rate = (step - self.start_step) * self.batch_size / elapsed
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=step, rate=rate)
        elif trainer.is_global_zero and step * 10 // total > (step - 1) * 10 // total:
            left = (total - step) * self.batch_size / rate
            print(f"{self.title}: step {step}/{total}, {rate:.0f} images/s, {left:.0f} s left", flush=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.bar is not None:
            self.bar.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)
