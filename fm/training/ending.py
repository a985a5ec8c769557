"""How a training that several processes share is asked to end: all of them after the same step."""

import signal
from typing import Any

import torch
import torch.distributed as dist
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException


class Ending(Callback):
    """Raises SIGTERMException in every process after the same step, once one of them has got a SIGTERM.

    Lightning's own handler talks to the other processes from within whatever they were just saying to each other, and
    its loop asks a GPU for an answer at every step. Here they exchange a word on the CPU after every step, and read the
    answer after the next one, when it is there.
    """

    def __init__(self) -> None:
        self.asked = torch.zeros((), dtype=torch.int32)
        self.group: Any = None
        self.exchange: tuple[dist.Work, torch.Tensor] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.world_size == 1:
            return
        self.group = dist.new_group(backend="gloo")
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
        signal.signal(signal.SIGTERM, self.note)  # Lightning puts back what was there before

    def note(self, number: int, frame: Any) -> None:
        self.asked.fill_(1)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.group is None or trainer.global_step == trainer.max_steps:
            return
        before, word = self.exchange, self.asked.clone()
        work = dist.all_reduce(word, dist.ReduceOp.MAX, group=self.group, async_op=True)
        assert work is not None
        self.exchange = work, word
        if before is not None:
            before[0].wait()
            if int(before[1]):
                work.wait()
                raise SIGTERMException
