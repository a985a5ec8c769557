"""Training by Lightning: the module, and what watches over it.

Data order and noise are functions of (seed, position), so that a training that was stopped and resumed ends
with the same bits as one that was not.
"""

import hashlib
import logging
import os
import resource
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, WeightAveraging
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor

from fm.batches import Batch, Budget
from fm.checkpoints import Checkpoint, usable
from fm.divergence import Divergence
from fm.ema import ema_with_warmup
from fm.errors import UserError
from fm.generator import Generator
from fm.images import Images
from fm.objectives import Objective
from fm.training_data import TrainingData

TORCHRUN = "TORCHELASTIC_RUN_ID"
STARTED_BY = "FM_TRAINING_PROCESS"
"""In the environment of what a training starts: the process id of that training."""
PLACES = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


class Training(LightningModule):
    """One network under one objective: AdamW, warm-up then constant rate, clipped gradients."""

    def __init__(self, network: torch.nn.Module, objective: Objective, budget: Budget) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.budget = budget
        self.gradient_norm = torch.zeros(())  # of the present step, on the training's device

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.objective.loss(self.network, batch.x0, batch.x1, batch.u, batch.labels, batch.condition)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        # beta2 0.99: a few thousand steps are too few for 0.999's memory. No weight decay, as in DDPM and ADM.
        optimizer = torch.optim.AdamW(
            self.network.parameters(), self.budget.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: self.budget.warm_up(done + 1))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.budget.gradient_clip)
        self.gradient_norm = norm.detach()


class Ema(WeightAveraging):
    """Lightning's weight averaging with the network within reach."""

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=ema_with_warmup(decay))

    @property
    def network(self) -> torch.nn.Module:
        """The network with averaged weights."""
        assert self._average_model is not None
        network = cast(Training, self._average_model.module).network
        return network


class Point(NamedTuple):
    """One point of the training curve: means since the point before."""

    step: int
    images_seen: int
    loss: float
    learning_rate: float
    gradient_norm: float


@dataclass
class Totals:
    """What a training has used over all its resumptions."""

    seconds: float = 0.0
    resumed: int = 0
    curve: list[Point] = field(default_factory=list)


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
        mean = trainer.strategy.reduce(outputs["loss"], reduce_op="mean")  # of the whole batch, whoever had the parts
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
    """Shows what the averaged network makes of fixed noise, every so many steps."""

    def __init__(self, every: int, generator: Generator, ema: Ema, show: Callable[[int, Generator], None]) -> None:
        self.every = every
        self.generator = generator
        self.ema = ema
        self.show = show

    def due(self, trainer: Trainer) -> bool:
        return trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.is_global_zero and self.due(trainer):
            self.show(trainer.global_step, Generator(self.generator.config, self.ema.network))


class Snapshots(Callback):
    """Keeps the averaged network after some of the steps, as generator folders named by the images seen.

    Those that have changed since by the training's end, resumed or not, are left out with a word.
    """

    def __init__(self, folder: Path, steps: Sequence[int], generator: Generator, ema: Ema) -> None:
        self.folder = folder
        self.steps = frozenset(steps)
        self.sums: dict[str, str | None] = {}
        self.generator = generator
        self.ema = ema

    def due(self, trainer: Trainer) -> bool:
        return trainer.global_step in self.steps

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.is_global_zero and self.due(trainer):
            place = self.folder / str(trainer.global_step * pl_module.budget.batch_size)
            partial = place.with_suffix(".partial")
            Generator(self.generator.config, self.ema.network).save(partial)
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
        content = b"".join((folder / name).read_bytes() for name in ("config.json", "model.safetensors"))
    except OSError:
        return None
    return hashlib.sha256(content).hexdigest()


def snapshot_steps(steps: int, count: int) -> list[int]:
    """`count` steps that cut a training of `steps` into equal parts; fewer where there are not so many steps."""
    return sorted({steps * part // (count + 1) for part in range(1, count + 1)} - {0})


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


def train(
    generator: Generator,
    objective: Objective,
    budget: Budget,
    images: Images,
    labels: npt.NDArray[np.int64],
    checkpoint: Path,
    *,
    key: str,
    checkpoint_every: int,
    snapshots: int,
    title: str,
    report: Callable[[Point, float], None],
    show: Callable[[int, Generator], None],
    hardware: dict[str, Any],
) -> Totals:
    """Train `generator`'s network in place, from `checkpoint` if it can be used, and average its weights.

    Args:
        images: uint8 (N, H, W, C); may be memory-mapped.
        labels: int64 (N,).
        checkpoint: file to save to and to resume from; the one before lies beside it, in case this one is damaged.
        key: names this training, so that it resumes from no other's checkpoint.
        snapshots: how many averaged networks to keep along the way, in the folder `snapshots` beside the checkpoint.
        report: called with every point of the curve and the present images/s.
        show: called now and then with the step and a generator of the averaged weights.
        hardware: accelerator, devices, strategy and precision, as lightning.Trainer takes them. Under torchrun devices
            and nodes are those that it has started.

    Raises:
        SystemExit: 143 after SIGTERM; the checkpoint is saved.
        UserError: hardware that is not here, or that does not go together.
        Diverged: a UserError; loss, gradient or weights are not finite. Nothing of that step is kept.
    """
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")  # about its own use of PyTorch, nothing a user could mend
    # With deterministic algorithms PyTorch also fills every new tensor, which costs a tenth of the speed.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    resumed = resume(checkpoint, key, title)
    ema = Ema(budget.ema_decay)
    curve = Curve(max(budget.steps // 100, 1), report)
    samples = Samples(max(budget.steps // 5, 1), generator, ema, show)
    kept = Snapshots(checkpoint.parent / "snapshots", snapshot_steps(budget.steps, snapshots), generator, ema)
    saving = Checkpoint(checkpoint, checkpoint_every, key, resumed)
    divergence = Divergence([curve, samples, kept, saving], saving.last_good)
    trainer = trainer_on(
        hardware | launched(),
        max_steps=budget.steps,
        callbacks=[divergence, ema, curve, samples, ProgressLine(title, budget.batch_size), kept, saving],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic="warn",
        plugins=[launcher()],
    )
    # Lightning ends at the next step, where it can save; it would call a handler that is there at once.
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        trainer.fit(
            Training(generator.network, objective, budget),
            datamodule=TrainingData(images, labels, generator.no_label, budget, objective.stratified),
            ckpt_path=resumed,
            weights_only=True,
        )
    except SIGTERMException:
        raise SystemExit(143) from None  # Lightning's own exit code is 0, which says that all is done
    finally:
        signal.signal(signal.SIGTERM, handler)
    generator.network.eval()
    return curve.totals


def trainer_on(hardware: dict[str, Any], **others: Any) -> Trainer:
    """Raises UserError where this machine has no such hardware, or where it does not go together."""
    try:
        return Trainer(**hardware, **others)
    except MisconfigurationException as error:
        asked = ", ".join(f"{name} {value}" for name, value in hardware.items())
        raise UserError(f"this machine can't train with {asked}: {' '.join(str(error).split())}") from None


def resume(checkpoint: Path, key: str, title: str) -> Path | None:
    """The checkpoint to go on from; says in a line if the last one cannot be used."""
    found, wrong = usable(checkpoint, key, set_aside=not is_helper())
    if wrong and not is_helper():
        instead = f"it goes on from the one before, {found}" if found else "it begins anew"
        print(f"{title}: {'; '.join(wrong)}; {instead}", flush=True)
    return found


def launched() -> dict[str, int]:
    """How many devices and nodes torchrun has started processes for; nothing where it has started none."""
    if TORCHRUN not in os.environ:
        return {}
    processes, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    return {"devices": here, "num_nodes": processes // here}


def launcher() -> ClusterEnvironment:
    """Who has started the processes of this training, said to Lightning: it would believe any variable it finds, for
    instance SLURM's where four cores are asked for as four tasks."""
    if TORCHRUN in os.environ:
        return TorchElasticEnvironment()
    if not is_helper():
        for name in PLACES:  # left over from another training
            os.environ.pop(name, None)
        os.environ[STARTED_BY] = str(os.getpid())
    return LightningEnvironment()


def is_helper() -> bool:
    """Whether this process works on a part of another one's batches: started by its training, or by torchrun.

    Raises:
        UserError: srun has started several of the same training.
    """
    if TORCHRUN in os.environ:
        return int(os.environ["RANK"]) > 0
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        raise UserError(
            "srun has started this training several times: start it once (srun --ntasks=1 --cpus-per-task=...), "
            "or let torchrun start its processes, as docs/operate.md says"
        )
    return os.environ.get(STARTED_BY) == str(os.getppid())


def peak_memory_bytes() -> int:
    """The most this process has held: allocated on the GPU where there is one, resident elsewhere."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
