"""Averaged weights."""

import copy
from typing import Any

import torch
from torch import nn

from fm import averaging
from fm.training.parts import local


class Average:
    """A network beside another, with the exponential moving average of its weights; neither is read to make it.

    Args:
        network: the one that is trained; the first update takes its weights as they are.
        decay: of the average, once it is old (decay_after).

    Attributes:
        network: the averaged one, on the same device until it is moved, never trained.
        updates: how many it is made of.

    >>> network = nn.Linear(1, 1, bias=False)
    >>> average = Average(network, decay=0.999)
    >>> for value in (0.0, 11.0):
    ...     _ = nn.init.constant_(network.weight, value)
    ...     average.update(network)
    >>> average.network.weight  # two elevenths of the old, nine of the new
    Parameter containing:
    tensor([[9.]])
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the weights of `network` in, and its buffers as they are."""
        means = local(self.network.parameters())
        weights = local(network.parameters())
        current = [value.detach().to(mean) for value, mean in zip(weights, means, strict=True)]
        if self.updates == 0:
            torch._foreach_copy_(means, current)
        else:
            torch._foreach_lerp_(means, current, 1 - self.kept())
        if buffers := list(self.network.buffers()):
            torch._foreach_copy_(buffers, list(network.buffers()))
        self.updates += 1

    def kept(self) -> float:
        """What it keeps of itself at the next update."""
        return decay_after(self.updates, self.decay)

    @torch.no_grad()
    def give_to(self, network: nn.Module) -> None:
        """Make the average the weights of `network`."""
        torch._foreach_copy_(local(network.parameters()), local(self.network.parameters()))

    def state_dict(self) -> dict[str, Any]:
        """What a training goes on from."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.updates = state["updates"]


class PowerAverage(Average):
    """An average whose profile is a power of the step, so that its length grows with the training (fm.averaging).

    Args:
        length: the standard deviation of its profile, as a share of the training so far.

    >>> network = nn.Linear(1, 1, bias=False)
    >>> average = PowerAverage(network, length=0.1)
    >>> for value in (0.0, 1.0):
    ...     _ = nn.init.constant_(network.weight, value)
    ...     average.update(network)
    >>> average.network.weight.round(decimals=4)  # 1 / 2 to the 7.9th part of the old
    tensor([[0.9959]])
    """

    def __init__(self, network: nn.Module, length: float) -> None:
        super().__init__(network, decay=0.0)
        self.length = length

    def kept(self) -> float:
        return averaging.kept(self.length, self.updates)


def decay_after(updates: int, decay: float) -> float:
    """What an average of so many updates keeps of itself: min(decay, (1 + n) / (10 + n)).

    Young averages forget their random start quickly (the rule of TensorFlow's ExponentialMovingAverage).

    >>> decay_after(0, 0.999), decay_after(1_000_000, 0.999)
    (0.1, 0.999)
    """
    return min(decay, (1 + updates) / (10 + updates))
