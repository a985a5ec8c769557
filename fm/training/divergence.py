"""A training that diverges ends at once, and says at which step."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from fm.errors import UserError
from fm.finite import all_finite
from fm.training.parts import local

if TYPE_CHECKING:
    from fm.batches import Batch, Budget

NEVER = 2**62


class Diverged(UserError):
    """Loss, gradient or weights are no longer finite."""

    def __init__(self, what: str, step: int, budget: "Budget", last_good: str) -> None:
        super().__init__(
            f"the training diverged: {what} not finite at step {step} of {budget.steps}, with learning rate "
            f"{budget.learning_rate * budget.warm_up(step):.3g}; {last_good}. "
            "A lower learning rate or a longer warm-up may help"
        )


class Keeps(Protocol):
    """A callback that keeps something of the training at some of its steps.

    >>> class EveryTenth:
    ...     def due(self, trainer):
    ...         return trainer.global_step % 10 == 0
    """

    def due(self, trainer: Trainer) -> bool: ...


class Divergence(Callback):
    """Ends a training whose loss, gradient or weights are not finite, before anything of that step is kept.

    An accelerator notes the first such step itself: to ask it is to wait for all that it has been given to do, so it is
    asked only when another callback is due.

    Args:
        before: what else keeps something of a step.
        last_good: says in words what there is to go back to.
    """

    def __init__(self, before: Sequence[Keeps], last_good: Callable[[], str]) -> None:
        self.before = before
        self.last_good = last_good

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.first = torch.full((), NEVER, device=pl_module.device)
        self.asks_rarely = self.first.device.type != "cpu"

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: "Batch", batch_idx: int
    ) -> None:
        finite = outputs["loss"].isfinite()
        # Scaled gradients of half precision overflow now and then; such a step is left out by the scaler.
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            finite &= pl_module.gradient_norm.isfinite()
        self.first = torch.where(finite, self.first, self.first.clamp(max=trainer.global_step))
        kept = trainer.global_step == trainer.max_steps or any(one.due(trainer) for one in self.before)
        if kept or not self.asks_rarely:
            step = int(trainer.strategy.reduce(self.first.clone(), reduce_op="min"))  # whoever had that part of a batch
            if step < NEVER:
                raise Diverged("loss or gradient is", step, pl_module.budget, self.last_good())
        if kept and not self._weights_are_finite(trainer, pl_module):
            raise Diverged("a weight is", trainer.global_step, pl_module.budget, self.last_good())

    def _weights_are_finite(self, trainer: Trainer, pl_module: Any) -> bool:
        """In every process, which may have a part of each."""
        here = torch.tensor(all_finite(local(pl_module.parameters())), dtype=torch.int32, device=pl_module.device)
        return bool(trainer.strategy.reduce(here, reduce_op="min"))
