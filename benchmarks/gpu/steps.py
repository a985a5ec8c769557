"""The training step of the library, and the same arithmetic written out: what a step cannot be faster than."""

import copy
import io
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.gpu.made_up import examples
from fm.batches import Batch, Batches, Budget
from fm.objectives import Objective, Regression
from fm.training.ema import Average
from fm.training.loop import optimizer_of

STEADY = Budget(images_seen=1 << 40, batch_size=1, learning_rate=1e-4)


def flow_matching(coupling: str = "independent") -> Regression:
    return Regression.named("cond_ot", coupling, "uniform", "velocity", "flat")


class Ours:
    """A network, its average and its optimiser, as fm.training.loop has them."""

    def __init__(
        self,
        network: nn.Module,
        budget: Budget = STEADY,
        called: nn.Module | None = None,
        objective: Objective | None = None,
    ) -> None:
        self.network = network.train()
        self.called = network if called is None else called  # the same, compiled
        self.budget = budget
        self.objective = flow_matching() if objective is None else objective
        self.averaged = Average(network, budget.ema_decay)
        self.optimizer, self.schedule = optimizer_of(network, budget, fused=next(network.parameters()).is_cuda)

    def step(self, batch: Batch) -> Tensor:
        device = batch.data.device.type
        batch.draws.seed_layers()
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            loss = self.objective.loss(self.called, batch, self.averaged.network)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.budget.gradient_clip)
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update(self.network)
        return loss.detach()

    def state(self) -> bytes:
        """All that a training goes on from."""
        file = io.BytesIO()
        parts = (self.network, self.averaged, self.optimizer, self.schedule)
        torch.save([part.state_dict() for part in parts], file)
        return file.getvalue()

    def load(self, state: bytes) -> None:
        found = torch.load(io.BytesIO(state), weights_only=True)
        for part, values in zip((self.network, self.averaged, self.optimizer, self.schedule), found, strict=True):
            part.load_state_dict(values)


class Bare:
    """Flow matching in ten lines of PyTorch, with clipping and averaging, on data that are on the device already."""

    def __init__(self, network: nn.Module, data: Tensor, label: Tensor) -> None:
        self.network = network.train()
        self.average = [weight.detach().clone() for weight in network.parameters()]
        self.data, self.condition = data, {"label": label}
        fused = data.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.0, fused=fused)

    def step(self) -> None:
        x1, device = self.data, self.data.device.type
        x0, t = torch.randn_like(x1), torch.rand(len(x1), device=x1.device)
        s = t.reshape(-1, *[1] * (x1.ndim - 1))
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            loss = F.mse_loss(self.network(s * x1 + (1 - s) * x0, t, self.condition).float(), x1 - x0)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.network.parameters()), 1e-3)


def trained(network: nn.Module, shape: tuple[int, ...], device: torch.device, stopped_at: int | None = None) -> Any:
    """The weights and their average after some steps, that were interrupted or not."""
    budget = Budget(images_seen=STEPS * 16, batch_size=16, learning_rate=1e-3, warmup_steps=4, ema_decay=0.9)
    batches = Batches(examples(shape), budget)
    training = Ours(copy.deepcopy(network).to(device), budget)
    for step in range(budget.steps):
        if step == stopped_at:
            state = training.state()
            training = Ours(copy.deepcopy(network).to(device), budget)
            training.load(state)
        training.step(batches[step].to(device))
    return training.network.state_dict(), training.averaged.network.state_dict()


STEPS = 12
