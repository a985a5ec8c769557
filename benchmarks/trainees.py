"""The library and its peers as each trains by its own example, behind one interface, for benchmarks.peers.

torchcfm 1.0.7, diffusers 0.42.1 and flow_matching 1.0.10. On equal networks all have the library's default UNet; by
themselves torchcfm and diffusers have the network of their own example for 28×28 grey images with labels. flow_matching
brings none.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.batches import Batches, Budget, Examples
from fm.conditions import Labels
from fm.config import SamplerConfig
from fm.networks import UNetOptions
from fm.networks.layers import in_channels_last
from fm.objectives import Regression
from fm.training.ema import Average
from fm.training.loop import Loop

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""From a network, data (B, C, H, W) and labels (B,)."""
RATE = 1e-3
AVERAGED = 0.999


@dataclass(frozen=True)
class Trainee:
    """
    Attributes:
        network: network(x, t, condition), as fm.field.Field calls it.
        step: trains by one batch.
        target, path: what the network says, for sampling.
        sampler: of ten calls.
    """

    network: nn.Module
    step: Callable[[], object]
    target: str
    path: str
    sampler: SamplerConfig


EULER = SamplerConfig(solver="euler", steps=10)
DDIM = SamplerConfig(solver={"name": "ddim", "clip": "codec"}, steps=10)


def ours(examples: Examples, batch_size: int) -> Trainee:
    """As our loop has it: with clipping, averaging, withheld labels and noise that is a function of the position."""
    budget = Budget(batch_size << 30, batch_size, RATE, warmup_steps=200, ema_decay=AVERAGED)
    objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    loop = Loop(our_network(examples), objective, budget)
    batches = stream(Batches(examples, budget))
    return Trainee(loop.average.network, lambda: loop.step(next(batches)), "velocity", "cond_ot", EULER)


def theirs(
    network: nn.Module, examples: Examples, batch_size: int, loss: Loss, averaged: bool, noise: bool = False
) -> Trainee:
    """A loop as the peers' examples have it: Adam, no clipping; with averaging only where it is to make pictures."""
    average = Average(network, AVERAGED) if averaged else None
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    batches = in_memory(examples, batch_size)

    def step() -> None:
        value = loss(network, *next(batches))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if average is not None:
            average.update(network)

    made_by = network if average is None else average.network
    return Trainee(made_by, step, *(("noise", "ddpm", DDIM) if noise else ("velocity", "cond_ot", EULER)))


def stream(batches: Batches) -> Iterator[Any]:
    return (batches[number] for number in range(len(batches)))


def in_memory(examples: Examples, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Data and labels, drawn at random."""
    random = np.random.default_rng(0)
    while True:
        rows = examples.rows[random.integers(0, len(examples.rows), batch_size)]
        yield examples.codec.encode(rows["data"]), torch.from_numpy(rows["label"])


# Their losses, word for word as in their examples.


def torchcfm_loss() -> Loss:
    from torchcfm import ConditionalFlowMatcher

    matcher = ConditionalFlowMatcher(sigma=0.0)

    def loss(network: nn.Module, x1: Tensor, label: Tensor) -> Tensor:
        t, x_t, u_t = matcher.sample_location_and_conditional_flow(torch.randn_like(x1), x1)
        return ((network(x_t, t, {"label": label}) - u_t) ** 2).mean()

    return loss


def flow_matching_loss() -> Loss:
    from flow_matching.path import AffineProbPath
    from flow_matching.path.scheduler import CondOTScheduler

    path = AffineProbPath(scheduler=CondOTScheduler())

    def loss(network: nn.Module, x1: Tensor, label: Tensor) -> Tensor:
        point = path.sample(t=torch.rand(len(x1)), x_0=torch.randn_like(x1), x_1=x1)
        return torch.pow(network(point.x_t, point.t, {"label": label}) - point.dx_t, 2).mean()

    return loss


def diffusers_loss() -> Loss:
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(num_train_timesteps=1000)

    def loss(network: nn.Module, x1: Tensor, label: Tensor) -> Tensor:
        noise, k = torch.randn_like(x1), torch.randint(0, 1000, (len(x1),))
        noisy = scheduler.add_noise(x1, noise, k)
        return F.mse_loss(network(noisy, 1 - (k + 1) / 1000, {"label": label}), noise)

    return loss


# Networks.


def our_network(examples: Examples) -> nn.Module:
    """The default one of Fashion-MNIST (pipelines/defaults)."""
    torch.manual_seed(0)
    options = UNetOptions(width=32, multipliers=(1, 2), blocks=1, patch_size=2)
    return in_channels_last(options.build(examples.codec.shape, examples.conditioner.fields))


class OfTorchcfm(nn.Module):
    """The network of torchcfm's examples/images/conditional_mnist.ipynb."""

    def __init__(self, examples: Examples) -> None:
        super().__init__()
        from torchcfm.models.unet import UNetModel

        shape = examples.codec.shape
        self.network = UNetModel(
            dim=shape, num_channels=32, num_res_blocks=1, num_classes=classes(examples), class_cond=True
        )

    def forward(self, x: Tensor, t: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        out: Tensor = self.network(t, x, condition["label"])
        return out


class OfDiffusers(nn.Module):
    """The network of the diffusers course for 28×28 digits (unit 1, introduction), with labels."""

    def __init__(self, examples: Examples) -> None:
        super().__init__()
        from diffusers import UNet2DModel

        channels, size, _ = examples.codec.shape
        self.network = UNet2DModel(
            sample_size=size,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=2,
            block_out_channels=(32, 64, 64),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            num_class_embeds=classes(examples),
        )

    def forward(self, x: Tensor, t: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        index = ((1 - t) * 1000 - 1).round().clamp(0, 999)
        out: Tensor = self.network(x, index, condition["label"]).sample
        return out


def classes(examples: Examples) -> int:
    assert isinstance(examples.conditioner, Labels)
    return len(examples.conditioner.names)
