"""One training divided among processes, each of which holds a part of every weight, of its gradient and of what the
optimiser and the average keep of it, by PyTorch's fully_shard (Rajbhandari et al. 2020, arXiv 1910.02054, stage 3; Zhao
et al. 2023, arXiv 2304.11277).
"""

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
)
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate, distribute_tensor
from torch.optim import Optimizer

from fm.training.checkpoint_folders import Folders
from fm.training.parts import local

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

SHARDED = "fsdp"
"""The strategy's name."""
LOWER = {"bf16-mixed": torch.bfloat16}
"""By precision: what weights are gathered in. Gradients are summed in float32, and kept with the weights in it."""


class Sharded(ModelParallelStrategy):
    """Lightning's strategy for fully_shard, over all processes, with checkpoints of which each writes its part.

    Args:
        folders: where these are.

    >>> Sharded(Folders("run/last.parts", key="of these settings")).folders.place
    'run/last.parts'
    """

    def __init__(self, folders: Folders) -> None:
        super().__init__()
        self.folders = folders

    def setup_environment(self) -> None:
        self._data_parallel_size, self._tensor_parallel_size = self.num_nodes * self.num_processes, 1
        super().setup_environment()
        self.folders.meet()

    @property
    def mesh(self) -> "DeviceMesh":
        """All processes, along one axis."""
        return self.device_mesh["data_parallel"]

    @property
    def lightning_restore_optimizer(self) -> bool:
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        assert self.model is not None
        return dict(get_model_state_dict(self.model))

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        assert self.model is not None
        return dict(get_optimizer_state_dict(self.model, getattr(optimizer, "_optimizer", optimizer)))

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Take the learning rates and their like: `load_checkpoint` has read the tensors in place."""
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            for group, kept in zip(optimizer.param_groups, state["param_groups"], strict=True):
                group |= {name: value for name, value in kept.items() if name != "params"}

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        self.folders.save_checkpoint(checkpoint, filepath)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Weights, averaged weights and the optimiser's tensors are read where they are; the rest comes back."""
        module = self.lightning_module
        assert module is not None
        states = [self.optimizer_state(optimizer) for optimizer in self.optimizers]
        live: dict[str, Any] = {"state_dict": self.lightning_module_state_dict(), "optimizer_states": states}
        for callback in module.trainer.callbacks:  # type: ignore[attr-defined]
            callback.on_save_checkpoint(module.trainer, module, live)
        return self.folders.load_into(checkpoint_path, live)


def shard(network: nn.Module, mesh: "DeviceMesh", precision: Any) -> None:
    """Divide a network's weights among the processes of a mesh, in place. A block's weights come together where it is
    called, and part again after it.

    Args:
        precision: as lightning.Trainer takes it.
    """
    for weight in network.parameters():
        weight.data = weight.data.contiguous()  # FSDP2 takes no channels_last
    # Under autocast inputs are cast where it matters; cast before, a time would keep three digits.
    policy = MixedPrecisionPolicy(LOWER.get(precision), torch.float32, cast_forward_inputs=False)
    for block in blocks(network):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # Weights that stay together after a call would not be what optimiser and average change.
    fully_shard(network, mesh=mesh, mp_policy=policy, reshard_after_forward=True)


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """What a network calls one after the other: the modules of its lists, and of lists within lists.

    >>> network = nn.ModuleDict({"a": nn.ModuleList([nn.ReLU()]), "b": nn.Linear(1, 1)})
    >>> [type(block).__name__ for block in blocks(network)]
    ['ReLU']
    """
    for child in network.children():
        if isinstance(child, nn.ModuleList):
            for one in child:
                yield from blocks(one) if isinstance(one, nn.ModuleList) else (one,)
        else:
            yield from blocks(child)


def without_weights(network: nn.Module) -> nn.Module:
    """The same network with weights that have sizes and no numbers, on PyTorch's meta device.

    >>> next(without_weights(nn.Linear(2, 3)).parameters()).device
    device(type='meta')
    """
    weights = list(network.parameters())
    empty = {id(one): nn.Parameter(torch.empty_like(one, device="meta"), one.requires_grad) for one in weights}
    return copy.deepcopy(network, empty)


@torch.no_grad()
def hand_out(network: nn.Module, mesh: "DeviceMesh", precision: Any, device: torch.device) -> None:
    """Divide the first process's network among all, one tensor after the other: no other has to have it whole, and
    those of the others may be without numbers.

    Args:
        precision: as lightning.Trainer takes it.
        device: where each is to have its part.
    """
    given = tensors(network)
    network.to("meta")
    shard(network, mesh, precision)
    network.to_empty(device=device)
    for part in tensors(network):
        one = given.pop(0)  # which is freed once it is handed out
        placements = part.placements if isinstance(part, DTensor) else [Replicate()]
        sent = one if mesh.get_rank() == 0 else torch.empty_like(one, device=device)
        mine, received = local([part, distribute_tensor(sent, mesh, placements)])
        mine.copy_(received)


@torch.no_grad()
def fill(empty: nn.Module, network: nn.Module, device: torch.device) -> None:
    """Give a network that is divided as another one is, and has no weights yet, those of the other."""
    empty.to_empty(device=device)
    for mine, other in zip(local(tensors(empty)), local(tensors(network)), strict=True):
        mine.copy_(other)


def tensors(network: nn.Module) -> list[torch.Tensor]:
    """Its weights, and its buffers, those too that no checkpoint has.

    >>> [tuple(one.shape) for one in tensors(nn.BatchNorm1d(2))]
    [(2,), (2,), (2,), (2,), ()]
    """
    return [*network.parameters(), *network.buffers()]


def whole(network: nn.Module, empty: nn.Module) -> nn.Module:
    """A divided network's weights together on the CPU of the first process, in `empty`, which is like it and has none.
    Every process has to ask; what the others get stays empty."""
    weights = get_model_state_dict(network, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if weights:
        empty.load_state_dict(weights, assign=True)
    return empty
