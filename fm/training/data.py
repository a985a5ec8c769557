"""The stream of batches as Lightning takes it: from the trainer's present step on."""

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from fm.batches import Batch, Batches, Budget, Examples, Fetched
from fm.couplings import Assigned
from fm.errors import UserError
from fm.loading import arrived, loader, workers_for
from fm.noise_sources import WHITE, NoiseSource


class TrainingData(LightningDataModule):
    """The stream of batches, taken up at the trainer's present step: fetched here, finished on the trainer's device.

    Args:
        pairing: a coupling that is asked while batches are fetched.
        source: of the noise.
    """

    def __init__(
        self, examples: Examples, budget: Budget, pairing: Assigned | None = None, source: NoiseSource = WHITE
    ) -> None:
        super().__init__()
        self.examples = examples
        self.budget = budget
        self.pairing = pairing
        self.source = source

    def train_dataloader(self) -> DataLoader[Fetched | UserError]:
        assert self.trainer is not None
        trainer = self.trainer
        rank, of = trainer.global_rank, trainer.world_size
        self.batches = Batches(self.examples, self.budget, rank, of, self.pairing, self.source)
        device = trainer.strategy.root_device
        self.examples.codec.to(device)  # where batches are finished
        return loader(self.batches, trainer.global_step, device, workers_for(device, trainer.num_devices))

    def transfer_batch_to_device(
        self, batch: Fetched | UserError, device: torch.device, dataloader_idx: int
    ) -> Fetched:
        return arrived(batch).to(device, non_blocking=True)

    def on_after_batch_transfer(self, batch: Fetched, dataloader_idx: int) -> Batch:
        assert self.trainer is not None
        finished: Batch = self.trainer.precision_plugin.convert_input(self.batches.finish(batch))
        return finished
