"""What a training takes of a device's memory, found without any: its step is taken on tensors that have sizes and no
numbers, by as many processes as are asked for, of which the others are imagined too.
"""

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from fm.batches import Budget
from fm.conditions import Condition
from fm.networks.conditioned import recompute
from fm.training.ema import Average
from fm.training.loop import optimizer_of
from fm.training.parts import local, undivided
from fm.training.sharding import shard

STEPS = 2  # the first makes what the optimiser keeps


@dataclass(frozen=True)
class Setting:
    """How a training is spread over devices.

    Attributes:
        devices: how many there are.
        sharded: whether each holds a part of every weight (fm.training.sharding), or all of all.
        precision: as lightning.Trainer takes it.
        recomputed: whether what lies inside a network's blocks is computed again for the gradient, not kept.
        on_gpu: whether bf16-mixed means a GPU's autocast, which has norms in float32, or a CPU's, which has not.

    >>> Setting(devices=8, sharded=True).precision
    'bf16-mixed'
    """

    devices: int = 1
    sharded: bool = False
    precision: str = "bf16-mixed"
    recomputed: bool = False
    on_gpu: bool = True


@dataclass(frozen=True)
class Needs:
    """Bytes on one device.

    Attributes:
        weights, gradients, optimiser, averaged: what is there from step to step.
        step: the most that a step holds besides: activations, weights that are gathered, gradients on their way.

    >>> Needs(weights=4, gradients=4, optimiser=8, averaged=4, step=30).total
    50
    """

    weights: int
    gradients: int
    optimiser: int
    averaged: int
    step: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimiser + self.averaged + self.step


def needs(
    build: Callable[[], nn.Module], shape: Sequence[int], condition: Condition, setting: Setting, data: int
) -> Needs:
    """What a training by regression (fm.objectives) takes of one device: forward, backward, clipping, AdamW and
    averaging, as training does them. PyTorch's own share (CUDA's context, NCCL's buffers, memory that lies idle
    between tensors) comes on top.

    Args:
        build: makes the network.
        shape: (C, *spatial) of a datum.
        condition: of one datum.
        data: how many are on the device at once.

    >>> from fm.networks import Network
    >>> network = Network.of({"name": "transformer", "width": 64})
    >>> one, four = (needs(lambda: network.build((1, 8, 8), {}), (1, 8, 8), {}, Setting(), data) for data in (1, 4))
    >>> one.weights == four.weights == one.optimiser // 2, one.step < four.step
    (True, True)
    """
    with unwarned(), imagined(setting) as mesh, FakeTensorMode(allow_non_fake_inputs=True), Held() as held:
        network = build().train()
        recompute(network, setting.recomputed)
        average = Average(network, decay=0.999)
        if mesh is not None:
            for one in (network, average.network):
                shard(one, mesh, setting.precision)
        optimizer, _ = optimizer_of(network, Budget(images_seen=1, batch_size=1, learning_rate=1e-3))
        held.restart()
        for _ in range(STEPS):
            step(network, average, optimizer, torch.empty(data, *shape), repeated(condition, data), setting)
        weights = list(network.parameters())
        gradients = [one.grad for one in weights if one.grad is not None]
        states = [one for state in optimizer.state.values() for one in state.values() if one.ndim]
        kept = Needs(size(weights), size(gradients), size(states), size(list(average.network.parameters())), step=0)
        # DistributedDataParallel sums gradients in buffers of its own.
        buckets = kept.gradients if setting.devices > 1 and not setting.sharded else 0
        return replace(kept, step=held.most - kept.total + buckets)


def step(
    network: nn.Module,
    average: Average,
    optimizer: torch.optim.Optimizer,
    x1: Tensor,
    under: Condition,
    setting: Setting,
) -> None:
    """As fm.training.trainer's, of a regression."""
    x0, t = torch.zeros_like(x1), x1.new_zeros(len(x1))
    optimizer.zero_grad()
    with autocast(setting):
        x_t, target = x0 + x1, x1 - x0
        loss = (network(x_t, t, under).float() - target).square().flatten(1).mean(dim=1).mean()
    loss.backward()
    undivided(nn.utils.clip_grad_norm_(network.parameters(), 1.0))
    optimizer.step()
    average.update(network)


@contextmanager
def autocast(setting: Setting) -> Iterator[None]:
    if setting.precision != "bf16-mixed":
        yield
        return
    with torch.autocast("cpu", torch.bfloat16), NormsInFloat32() if setting.on_gpu else nullcontext():
        yield


class NormsInFloat32(TorchFunctionMode):
    """What goes into them is kept for the gradient, and what comes out of them for the next layer's.

    >>> with NormsInFloat32():
    ...     nn.LayerNorm(4)(torch.zeros(1, 4, dtype=torch.bfloat16)).dtype
    torch.float32
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in (F.group_norm, F.layer_norm):
            args = (args[0].float(), *args[1:])
        return func(*args, **kwargs or {})


def repeated(condition: Condition, count: int) -> dict[str, Tensor]:
    return {name: value.expand(count, *value.shape[1:]).clone() for name, value in condition.items()}


def size(tensors: Sequence[Tensor]) -> int:
    """Bytes of what this process holds of them."""
    return sum(one.numel() * one.element_size() for one in local(tensors))


def unwarned() -> AbstractContextManager[Any]:
    """Without what PyTorch says of its own copying of tensors that have no numbers."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)


@contextmanager
def imagined(setting: Setting) -> Iterator[DeviceMesh | None]:
    """The mesh of several processes, of which this is one and the others do nothing, if each is to have a part."""
    if not setting.sharded:
        yield None
        return
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=0, world_size=setting.devices, store=FakeStore())
    try:
        yield init_device_mesh("cpu", (setting.devices,))
    finally:
        dist.destroy_process_group()


class Held(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that are made while it is on, and that are still there.

    Attributes:
        now: bytes held.
        most: the most of them at once.

    >>> with Held() as held:
    ...     kept = torch.zeros(10)
    ...     _ = kept + kept + kept
    >>> held.now, held.most
    (80, 120)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._sizes: dict[int, int] = {}

    def restart(self) -> None:
        """Look for the most anew."""
        self.most = self.now

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if any(issubclass(one, DTensor) for one in types):
            return NotImplemented  # it is asked again for the tensors within
        made = func(*args, **kwargs or {})
        for one in tree_iter(made):
            if isinstance(one, Tensor) and not isinstance(one, DTensor):
                self._note(one.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._sizes:
            weakref.finalize(storage, self._change, key, 0)
        self._change(key, size)

    def _change(self, key: int, size: int) -> None:
        self.now += size - self._sizes.pop(key, 0)
        if size:
            self._sizes[key] = size
        self.most = max(self.most, self.now)

    def __enter__(self) -> "Held":
        resize = self._resize = torch.UntypedStorage.resize_  # FSDP empties so what it has gathered

        def resized(storage: torch.UntypedStorage, size: int) -> None:
            resize(storage, size)
            if storage._cdata in self._sizes or size:
                self._note(storage)

        torch.UntypedStorage.resize_ = resized  # type: ignore[assignment, method-assign]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        torch.UntypedStorage.resize_ = self._resize  # type: ignore[method-assign]
