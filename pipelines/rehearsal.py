"""What cannot be said of a setting before there is a network: whether its samplers run."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fm.conditions import Condition
from fm.config import MOST_SNAPSHOTS, Config, SamplerConfig
from fm.errors import UserError
from fm.generator import Generator, network_of
from fm.networks.sizes import sizes_alone


def rehearse(method: str, generator: Generator, samplers: Iterable[SamplerConfig]) -> None:
    """Draw one image with every sampler of a method, before hours are spent.

    Raises:
        UserError: a sampler that cannot run on this method's path, with the reason.
    """
    for each in samplers:
        try:
            generator.with_sampler(each).sample_float(1, seed=0)
        except ValueError as error:
            raise UserError(
                f"params.yaml: methods.{method}.samplers: {each.label} with {each.steps} steps: {error}"
            ) from None


def rehearse_settings(method: str, config: Config, samplers: Iterable[SamplerConfig]) -> None:
    """The same at next to no cost, whatever the network's size, before there is one: whether it can be made, and
    whether every sampler runs on the path, whatever the network says.

    Raises:
        ValueError: a network that cannot be.
        UserError: a sampler that cannot run.
    """
    with sizes_alone():
        network_of(config)
    rehearse(method, silent(config), samplers)


def rehearse_pairs(method: str, config: Config, sampler: SamplerConfig) -> None:
    """Draw one pair that a method would be trained on, by whatever network.

    Args:
        config: of the network that makes them.

    Raises:
        UserError: the sampler cannot run on the network's path, or draws noise of its own.
    """
    generator = silent(config).with_sampler(sampler)
    try:
        generator.ends_of(torch.zeros(1, *generator.shape), generator.condition(generator.conditioner.in_turn(1, 0)))
    except ValueError as error:
        raise UserError(
            f"params.yaml: methods.{method}.pairs: {sampler.label} with {sampler.steps} steps: {error}"
        ) from None


def silent(config: Config) -> Generator:
    """One that always answers 0, and so do all that samplers may lead away from."""
    generator = Generator(config, Silent())
    generator.weaker = dict.fromkeys(range(1, MOST_SNAPSHOTS + 1), generator.network)
    return generator


class Silent(nn.Module):
    """Stands in for a network, and always answers 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        return torch.zeros_like(x)
