"""What can be trained, and for what: generators for objectives, autoencoders for reconstruction (fm.autoencoding)."""

from pathlib import Path
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from fm.batches import Batch
from fm.couplings import Assigned
from fm.noise_sources import NoiseSource


class Trainee(Protocol):
    """Something that is a network with what belongs to it.

    >>> def size(trainee: Trainee) -> int:
    ...     return sum(weight.numel() for weight in trainee.network.parameters())
    """

    network: nn.Module

    @property
    def device(self) -> torch.device: ...

    def around(self, network: nn.Module) -> Self:
        """The same of other weights."""

    def save(self, folder: Path) -> None: ...


class Aim(Protocol):
    """From a network and a batch to a loss, as fm.objectives.Objective.

    >>> def of_a_part(aim: Aim, network: nn.Module, batch: Batch) -> Tensor:
    ...     return aim.loss(network, batch.part(slice(0, 1)), network)
    """

    @property
    def pairing(self) -> Assigned | None: ...

    @property
    def differences(self) -> bool: ...

    @property
    def source(self) -> NoiseSource: ...

    def paired(self, batch: Batch) -> Batch: ...

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> Tensor: ...
