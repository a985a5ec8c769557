"""The stream of batches as Lightning takes it: from the trainer's present step on."""

from collections.abc import Iterator

from lightning import LightningDataModule
from torch.utils.data import DataLoader

from fm.batches import Batch, Batches, Budget, Examples


class From:
    """Steps from `start` on, in a sampler that still says how many there are in all: Lightning counts from 0.

    >>> list(From(3, 6)), len(From(3, 6))
    ([3, 4, 5], 6)
    """

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.stop))

    def __len__(self) -> int:
        return self.stop


class TrainingData(LightningDataModule):
    """The stream of batches, taken up at the trainer's present step."""

    def __init__(self, examples: Examples, budget: Budget) -> None:
        super().__init__()
        self.examples = examples
        self.budget = budget

    def train_dataloader(self) -> DataLoader[Batch]:
        assert self.trainer is not None
        batches = Batches(self.examples, self.budget, self.trainer.global_rank, self.trainer.world_size)
        # A GPU would wait for its batches; on a CPU a second process would take the cores from the training.
        workers = 0 if self.trainer.strategy.root_device.type == "cpu" else 2
        return DataLoader(
            batches, batch_size=None, sampler=From(self.trainer.global_step, self.budget.steps), num_workers=workers
        )
