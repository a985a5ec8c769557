"""Training by Lightning.

Data order and noise are functions of (seed, position), so that a training that was stopped and resumed ends
with the same bits as one that was not.
"""

import logging
import signal
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from fm.batches import Batch, Budget, Examples
from fm.callbacks import Curve, Ema, Point, ProgressLine, Samples, Totals
from fm.checkpoints import Checkpoint, usable
from fm.divergence import Divergence
from fm.errors import UserError
from fm.generator import Generator
from fm.loop import optimizer_of
from fm.objectives import Objective
from fm.processes import is_helper, launched, launcher
from fm.snapshots import Snapshots, snapshot_steps
from fm.training_data import TrainingData


@dataclass(frozen=True)
class Hardware:
    """What to train on, as lightning.Trainer takes it; under torchrun, devices and nodes are those it has started.

    >>> Hardware(accelerator="cpu", precision="bf16-mixed").devices
    1
    """

    accelerator: str = "auto"
    devices: Any = 1
    strategy: str = "auto"
    precision: Any = "32-true"


@dataclass(frozen=True)
class Keeping:
    """What a training leaves behind, so that it can be gone on with.

    Attributes:
        checkpoint: file to save to and to resume from; the one before lies beside it, in case this one is damaged.
        key: names this training, so that it resumes from no other's checkpoint.
        every: so many steps a checkpoint is saved.
        snapshots: how many averaged networks to keep along the way, in the folder `snapshots` beside the checkpoint.

    >>> Keeping(Path("run/last.ckpt"), key="of these settings", every=500).snapshots
    0
    """

    checkpoint: Path
    key: str
    every: int
    snapshots: int = 0


@dataclass(frozen=True)
class Watching:
    """Who is told how a training goes.

    Attributes:
        title: what its lines begin with.
        report: called with every point of the curve and the present images/s.
        show: called now and then with the step and a generator of the averaged weights.

    >>> Watching("mine", report=lambda point, speed: None, show=lambda step, generator: None).title
    'mine'
    """

    title: str
    report: Callable[[Point, float], None]
    show: Callable[[int, Generator], None]


class Training(LightningModule):
    """One network under one objective: AdamW, warm-up then constant rate, clipped gradients.

    Args:
        averaged: the network with averaged weights; asked for at every step, since it is there only once one begins.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        objective: Objective,
        budget: Budget,
        averaged: Callable[[], torch.nn.Module],
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.budget = budget
        self.averaged = averaged
        self.gradient_norm = torch.zeros(())  # of the present step, on the training's device

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        batch.draws.seed_layers()
        return self.objective.loss(self.network, batch, self.averaged())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer, schedule = optimizer_of(self.network, self.budget)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.budget.gradient_clip)
        self.gradient_norm = norm.detach()


def train(
    generator: Generator,
    objective: Objective,
    examples: Examples,
    budget: Budget,
    keeping: Keeping,
    hardware: Hardware,
    watching: Watching,
) -> Totals:
    """Train `generator`'s network in place, from a checkpoint if one can be used, and average its weights.

    Raises:
        SystemExit: 143 after SIGTERM; the checkpoint is saved.
        UserError: hardware that is not here, or that does not go together.
        Diverged: a UserError; loss, gradient or weights are not finite. Nothing of that step is kept.
    """
    keeping.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    hush()
    resumed = resume(keeping, watching.title)
    ema = Ema(budget.ema_decay)

    def averaged() -> Generator:
        return Generator(generator.config, ema.network)

    curve = Curve(max(budget.steps // 100, 1), watching.report)
    samples = Samples(max(budget.steps // 5, 1), averaged, watching.show)
    folder = keeping.checkpoint.parent / "snapshots"
    snapshots = Snapshots(folder, snapshot_steps(budget.steps, keeping.snapshots), averaged)
    saving = Checkpoint(keeping.checkpoint, keeping.every, keeping.key, resumed)
    divergence = Divergence([curve, samples, snapshots, saving], saving.last_good)
    progress = ProgressLine(watching.title, budget.batch_size)
    trainer = trainer_on(hardware, budget.steps, [divergence, ema, curve, samples, progress, snapshots, saving])
    # Lightning ends at the next step, where it can save; it would call a handler that is there at once.
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        trainer.fit(
            Training(generator.network, objective, budget, lambda: ema.network),
            datamodule=TrainingData(examples, budget),
            ckpt_path=resumed,
            weights_only=True,
        )
    except SIGTERMException:
        raise SystemExit(143) from None  # Lightning's own exit code is 0, which says that all is done
    finally:
        signal.signal(signal.SIGTERM, handler)
    generator.network.eval()
    return curve.totals


def hush() -> None:
    """What Lightning and PyTorch say or do that is of no use here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")  # about its own use of PyTorch, nothing a user could mend
    # With deterministic algorithms PyTorch also fills every new tensor, which costs a tenth of the speed.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def trainer_on(hardware: Hardware, max_steps: int, callbacks: list[Callback]) -> Trainer:
    """Raises UserError where this machine has no such hardware, or where it does not go together."""
    chosen = asdict(hardware) | launched()
    try:
        return Trainer(
            **chosen,
            max_steps=max_steps,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            deterministic="warn",
            plugins=[launcher()],
        )
    except MisconfigurationException as error:
        asked = ", ".join(f"{name} {value}" for name, value in chosen.items())
        raise UserError(f"this machine can't train with {asked}: {' '.join(str(error).split())}") from None


def resume(keeping: Keeping, title: str) -> Path | None:
    """The checkpoint to go on from; says in a line if the last one cannot be used."""
    found, wrong = usable(keeping.checkpoint, keeping.key, set_aside=not is_helper())
    if wrong and not is_helper():
        instead = f"it goes on from the one before, {found}" if found else "it begins anew"
        print(f"{title}: {'; '.join(wrong)}; {instead}", flush=True)
    return found
