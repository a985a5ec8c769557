"""Copies of what a training changes, to be written while it goes on."""

from typing import Any

import torch
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.torch_version import TorchVersion

USED_ONCE = TorchVersion(torch.__version__) < (2, 14)  # type: ignore[operator]  # which it takes all the same
"""Whether PyTorch's stager closes with its first copy, as those of 2.11 and 2.12: then every copy has its own."""


class Copies:
    """Copies nested mappings and lists of tensors into the CPU's memory, the same memory every time: from a GPU at the
    speed of the bus. So a copy is good until the next one is made.

    >>> weight = torch.ones(2)
    >>> copies = Copies()
    >>> first = copies.of({"weight": weight})
    >>> weight += 1
    >>> copies.of({"weight": weight})["weight"]
    tensor([2., 2.])
    """

    def __init__(self) -> None:
        self._stager = stager()

    def of(self, content: Any) -> Any:
        copied = self._stager.stage(content)
        if USED_ONCE:
            self._stager = stager()
        return copied


def stager() -> DefaultStager:
    on_gpu = torch.cuda.is_available()
    return DefaultStager(
        StagingOptions(
            use_pinned_memory=on_gpu, use_shared_memory=False, use_async_staging=False, use_non_blocking_copy=on_gpu
        )
    )
