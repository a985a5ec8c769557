"""Batches fetched ahead of the training, by processes of their own where the device has better things to do."""

import os
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from fm.batches import Batches, Fetched
from fm.errors import UserError


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


class Fetching(Dataset[Fetched | UserError]):
    """What each step is made of, for processes of their own, or why it cannot be had: what such a process raises
    PyTorch would tell with its traceback.

    >>> import numpy as np
    >>> from fm.batches import Budget, Examples
    >>> from fm.codecs import Pixels
    >>> from fm.conditions import Unconditional
    >>> from fm.data.rows import Arrays
    >>> examples = Examples(Arrays({"data": np.zeros((50, 8, 8, 1), np.uint8)}), Pixels((8, 8, 1)), Unconditional())
    >>> fetching = Fetching(Batches(examples, Budget(images_seen=64, batch_size=16, learning_rate=1e-3)))
    >>> len(fetching), arrived(fetching[3]).data.shape
    (4, torch.Size([16, 8, 8, 1]))
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> Fetched | UserError:
        try:
            return self.batches.fetch(step)
        except UserError as error:
            return error


def arrived(fetched: Fetched | UserError) -> Fetched:
    """What a loader has given. Raises the UserError for which it cannot be had."""
    if isinstance(fetched, UserError):
        raise fetched
    return fetched


MOST_WORKERS = 8
"""What one GPU is given to fetch its batches; more would be of use to data that take a GPU's step to decode."""


def workers_for(device: torch.device, sharing: int = 1) -> int:
    """How many processes fetch for a device: none for a CPU, which they would take from the training; for any other all
    cores of its share but one.

    Args:
        sharing: devices that share this machine's cores.
    """
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(cores // sharing - 1, 1), MOST_WORKERS)


def loader(batches: Batches, start: int, device: torch.device, workers: int) -> DataLoader[Fetched | UserError]:
    """What the steps from `start` on are made of, in order, fetched by so many processes (`arrived` tells)."""
    return DataLoader(
        Fetching(batches),
        batch_size=None,
        sampler=From(start, len(batches)),
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
