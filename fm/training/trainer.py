"""Training by Lightning.

Data order and noise are functions of (seed, position), so that a training that was stopped and resumed ends
with the same bits as one that was not.
"""

import fm.training.light_torchmetrics  # noqa: F401 (before Lightning)

# isort: split
import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import ParallelStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from fm import devices
from fm.arithmetic import Arithmetic, float32_products, precision_on, whole_weights, without_autocast
from fm.averaging import MOMENTS
from fm.batches import Batch, Budget, Examples
from fm.errors import UserError
from fm.networks.compiled import COMPILING
from fm.networks.conditioned import recompute
from fm.networks.converted import unconverted
from fm.training.callbacks import Curve, Ema, Point, PowerAverages, ProgressLine, Samples, Totals
from fm.training.checkpoint_folders import Folders
from fm.training.checkpoints import Checkpoint, Files, Store, arithmetic_of
from fm.training.data import TrainingData
from fm.training.divergence import Divergence
from fm.training.ending import Ending
from fm.training.loop import optimizer_of
from fm.training.parts import undivided
from fm.training.processes import is_helper, launched, launcher
from fm.training.sharding import SHARDED, Sharded, fill, hand_out, shard, whole, without_weights
from fm.training.snapshots import Snapshots, snapshot_steps
from fm.training.trainee import Aim, Trainee

HALF_MIXED = ("16", "16-mixed")
"""Lightning's names for products in half precision, with gradients that are scaled."""


@dataclass(frozen=True)
class Hardware:
    """What to train on, as lightning.Trainer takes it, and how to use it; under torchrun, devices and nodes are those
    it has started.

    Attributes:
        precision: lightning.Trainer's, or tf32, or auto: what suits the device (fm.arithmetic.precision_on).
        compiled, parts, recomputed: as in fm.arithmetic.Arithmetic.

    >>> Hardware(accelerator="cpu", precision="bf16-mixed").arithmetic()
    Arithmetic(precision='bf16-mixed', products='tf32', fused=False, compiled=False, parts=1, recomputed=False)
    """

    accelerator: str = "auto"
    devices: Any = 1
    strategy: Any = "auto"
    precision: Any = "auto"
    compiled: bool = False
    parts: int = 1
    recomputed: bool = False

    @property
    def sharded(self) -> bool:
        """Whether every process holds a part of every weight."""
        return bool(self.strategy == SHARDED)

    @property
    def needs_weights(self) -> bool:
        """Whether this process's untrained network has to have any: sharded, the first one hands out its own."""
        return not (self.sharded and is_helper())

    def arithmetic(self) -> Arithmetic:
        """What it comes to on this machine."""
        device = devices.pick(self.accelerator)
        precision, products = precision_on(device, str(self.precision))
        # Fused, AdamW undoes the scale of half precision's gradients itself, when they have been clipped already.
        fused = device.type == "cuda" and precision not in HALF_MIXED
        return Arithmetic(precision, products, fused, self.compiled, self.parts, self.recomputed)


@dataclass(frozen=True)
class Keeping:
    """What a training leaves behind, so that it can be gone on with.

    Attributes:
        checkpoint: file to save to and to resume from; the one before lies beside it, in case this one is damaged.
        key: names this training, so that it resumes from no other's checkpoint.
        every: so many steps a checkpoint is saved.
        snapshots: how many averaged networks to keep along the way, in the folder `snapshots` beside the checkpoint.
        lengths: of averages to keep too, MOMENTS times each, in the folder `averages` (fm.averaging).
        elsewhere: URL of a folder, as fsspec takes it (s3://bucket/prefix), that has the checkpoints instead.

    >>> Keeping(Path("run/last.ckpt"), key="of these settings", every=500).snapshots
    0
    """

    checkpoint: Path
    key: str
    every: int
    snapshots: int = 0
    elsewhere: str | None = None
    lengths: tuple[float, ...] = ()

    def store(self, sharded: bool) -> Files | Folders:
        """Where the checkpoints are: one file, or a folder to which every process that holds a part writes it."""
        if self.elsewhere is not None:
            return Folders(self.elsewhere, self.key)
        return Folders(self.checkpoint.with_suffix(".parts"), self.key) if sharded else Files(self.checkpoint, self.key)


@dataclass(frozen=True)
class Watching:
    """Who is told how a training goes.

    Attributes:
        title: what its lines begin with.
        report: called with every point of the curve and the present images/s.
        show: called now and then with the step and what is trained, with averaged weights.

    >>> Watching("mine", report=lambda point, speed: None, show=lambda step, generator: None).title
    'mine'
    """

    title: str
    report: Callable[[Point, float], None]
    show: Callable[[int, Any], None]


class Training(LightningModule):
    """One network under one objective: AdamW, warm-up then constant rate, clipped gradients.

    Nothing in a step waits for the device: loss and norm stay there until somebody asks (Curve, Divergence).

    Args:
        averaged: the network with averaged weights; asked for at every step, since it is there only once one begins.
        parts: that a batch is cut into, one after the other; their gradients add up to the batch's.
        fused: whether AdamW is one kernel.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        objective: Aim,
        budget: Budget,
        averaged: Callable[[], torch.nn.Module],
        parts: int = 1,
        fused: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # Lightning's own accumulates over batches, of which a step has one
        self.network = network
        self.objective = objective
        self.budget = budget
        self.averaged = averaged
        self.parts = parts
        self.fused = fused
        self.gradient_norm = torch.zeros(())  # of the present step, on the training's device

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizer, LightningOptimizer)
        assert isinstance(schedule, LambdaLR)
        losses: list[Tensor] = []
        # Between gradients and step Lightning undoes what scales them, and calls on_before_optimizer_step.
        optimizer.step(closure=lambda: losses.append(self.add_gradients(batch)))
        schedule.step()
        return {"loss": losses[0]}

    def add_gradients(self, batch: Batch) -> Tensor:
        """Those of the whole batch, from zero; its loss, on the device."""
        self.network.zero_grad()
        parts = self.objective.paired(batch).in_parts(self.parts)
        loss = torch.zeros((), device=batch.data.device)
        for number, part in enumerate(parts, start=1):
            part.draws.seed_layers()
            share = self.objective.loss(self.network, part, self.averaged()) * (len(part.data) / len(batch.data))
            with without_autocast(self.device), self.alone(number < len(parts)):
                self.manual_backward(share)
            loss = loss + share.detach()
        return loss

    def alone(self, yes: bool) -> AbstractContextManager[None]:
        """Several processes exchange a batch's gradients once, with those of its last part."""
        strategy = self.trainer.strategy
        return strategy.block_backward_sync() if yes and isinstance(strategy, ParallelStrategy) else nullcontext()

    def configure_model(self) -> None:
        """Called when the processes have met."""
        strategy = self.trainer.strategy
        if isinstance(strategy, Sharded):
            hand_out(self.network, strategy.mesh, self.trainer.precision, strategy.root_device)
            shard(self.averaged(), strategy.mesh, self.trainer.precision)
            fill(self.averaged(), self.network, strategy.root_device)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer, schedule = optimizer_of(self.network, self.budget, self.fused)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.budget.gradient_clip)
        self.gradient_norm = undivided(norm.detach())


def train(
    generator: Trainee,
    objective: Aim,
    examples: Examples,
    budget: Budget,
    keeping: Keeping,
    hardware: Hardware,
    watching: Watching,
) -> Totals:
    """Train `generator`'s network in place, from a checkpoint if one can be used, and average its weights.

    Where every process holds a part of every weight, all begin with the first one's (Hardware.needs_weights), and it
    alone has them whole in the end.

    A training that is resumed computes as it did before, whatever is chosen by itself on the present device.

    Raises:
        SystemExit: 143 after SIGTERM; the checkpoint is saved.
        UserError: hardware that is not here, or that does not go together.
        Diverged: a UserError; loss, gradient or weights are not finite. Nothing of that step is kept.
    """
    if hardware.sharded and keeping.lengths:
        raise UserError("averages of several lengths are not kept where weights are divided among processes (fsdp)")
    keeping.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    hush()
    store = keeping.store(hardware.sharded)
    resumed = resume(store, watching.title)
    arithmetic = hardware.arithmetic() if resumed is None else arithmetic_of(store, resumed)
    if objective.differences and not whole_weights(arithmetic.precision, hardware.sharded):
        raise UserError(
            f"precision = {arithmetic.precision}: the objective takes differences, which are lost in weights of 16 "
            f"bits: {'32-true' if hardware.sharded else 'auto, 32-true or bf16-mixed'} would be right"
        )
    ema = Ema(budget.ema_decay)

    empty = without_weights(generator.network) if hardware.sharded else None

    def averaged() -> Trainee:
        return generator.around(ema.network)

    def together() -> Trainee:
        return averaged() if empty is None else generator.around(whole(ema.network, empty))

    curve = Curve(max(budget.steps // 100, 1), watching.report)
    samples = Samples(max(budget.steps // 5, 1), averaged, watching.show)
    folder = keeping.checkpoint.parent / "snapshots"
    snapshots = Snapshots(folder, snapshot_steps(budget.steps, keeping.snapshots), together)
    saving = Checkpoint(store, keeping.every, arithmetic, resumed)
    powers, of_lengths = at_lengths(keeping, budget, generator)
    divergence = Divergence([curve, samples, snapshots, *of_lengths, saving], saving.last_good)
    progress = ProgressLine(watching.title, budget.batch_size)
    callbacks = [divergence, ema, *powers, curve, samples, progress, snapshots, *of_lengths, saving, Ending()]
    trainer = trainer_on(hardware, arithmetic.precision, budget, callbacks, store)
    training = Training(generator.network, objective, budget, lambda: ema.network, arithmetic.parts, arithmetic.fused)
    if arithmetic.compiled and not is_helper():
        print(f"{watching.title}: {COMPILING}; a SIGTERM waits for it", flush=True)
    if arithmetic.parts > (share := budget.batch_size // trainer.world_size) and not is_helper():
        cut = f"a process has {share} data of a batch, which are cut into as many parts, not {arithmetic.parts}"
        print(f"{watching.title}: {cut} (accumulate)", flush=True)
    with computed(generator.network, arithmetic), saved_on_sigterm():
        data = TrainingData(examples, budget, objective.pairing, objective.source)
        trainer.fit(training, datamodule=data, ckpt_path=resumed, weights_only=True)
    if empty is not None:
        generator.network = whole(generator.network, empty)
    generator.network.eval()
    return replace(curve.totals, arithmetic=arithmetic)


def at_lengths(keeping: Keeping, budget: Budget, generator: Trainee) -> tuple[list[PowerAverages], list[Snapshots]]:
    """What averages at several lengths, and what keeps each of these averages; nothing where none is asked for."""
    if not keeping.lengths:
        return [], []
    powers = PowerAverages(keeping.lengths)
    steps = [*snapshot_steps(budget.steps, MOMENTS - 1), budget.steps]

    def averaged(length: float) -> Trainee:
        return generator.around(powers.averages[length].network)

    folder = keeping.checkpoint.parent / "averages"
    each = [Snapshots(folder / f"{one:g}", steps, partial(averaged, one), f"-{one:g}") for one in keeping.lengths]
    return [powers], each


@contextmanager
def computed(network: torch.nn.Module, arithmetic: Arithmetic) -> Iterator[None]:
    """The network computes so meanwhile."""
    if arithmetic.recomputed:
        recompute(network)
    if arithmetic.compiled:
        # Each size by itself: else the second makes code for any, which one that is resumed has from another step on.
        unconverted(network).compile(dynamic=False)
    try:
        with float32_products(arithmetic.products):
            yield
    finally:
        recompute(network, False)
        unconverted(network)._compiled_call_impl = None  # there is no public way back


@contextmanager
def saved_on_sigterm() -> Iterator[None]:
    """Lightning ends at the next step, where it can save; it would call a handler that is there at once.

    Raises:
        SystemExit: 143. Lightning's own exit code is 0, which says that all is done.
    """
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    except SIGTERMException:
        raise SystemExit(143) from None
    finally:
        signal.signal(signal.SIGTERM, handler)


def hush() -> None:
    """What Lightning and PyTorch say or do that is of no use here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")  # about its own use of PyTorch, nothing a user could mend
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # by PyTorch, at every folder it writes
    # With deterministic algorithms PyTorch also fills every new tensor, which costs a tenth of the speed.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def trainer_on(
    hardware: Hardware, precision: Any, budget: Budget, callbacks: list[Callback], store: Files | Folders
) -> Trainer:
    """Raises UserError where this machine has no such hardware, or where it does not go together."""
    chosen = {name: getattr(hardware, name) for name in ("accelerator", "devices", "strategy")} | launched()
    chosen["precision"] = precision
    if precision in HALF_MIXED and devices.pick(hardware.accelerator).type == "cpu":  # Lightning would take bf16-mixed
        raise UserError(f"precision = {precision}: is for GPUs; auto, 32-true or bf16-mixed would be right on a CPU")
    strategy = Sharded(store) if hardware.sharded and isinstance(store, Folders) else hardware.strategy
    try:
        trainer = Trainer(
            **chosen | {"strategy": strategy},
            max_steps=budget.steps,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            deterministic="warn",
            plugins=[launcher(), store],
        )
    except (MisconfigurationException, ValueError) as error:
        asked = ", ".join(f"{name} {value}" for name, value in chosen.items())
        raise UserError(f"this machine can't train with {asked}: {' '.join(str(error).split())}") from None
    if budget.batch_size % trainer.world_size:
        raise UserError(
            f"a batch of {budget.batch_size} can't be divided evenly among {trainer.world_size} processes: "
            "another batch size, or another number of devices"
        )
    return trainer


def resume(store: Store, title: str) -> Any:
    """The checkpoint to go on from, if there is one; says in a line if the last one cannot be used."""
    found, wrong = store.usable(set_aside=not is_helper())
    if wrong and not is_helper():
        instead = f"it goes on from the one before, {found}" if found else "it begins anew"
        print(f"{title}: {'; '.join(wrong)}; {instead}", flush=True)
    return found
