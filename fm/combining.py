"""The generator of an average that a training did not keep, from those that it kept (fm.averaging)."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from fm.averaging import Profile, shares
from fm.generator import Generator
from fm.generator_files import WEIGHTS


def combined(there: Mapping[Profile, Path], wanted: Profile) -> Generator:
    """A generator with the weights of an average, nearly.

    Args:
        there: generator folders of averages of one training.

    Raises:
        GeneratorError: a folder is no generator's.
    """
    profiles = sorted(there)
    result = Generator.load(there[profiles[-1]])
    totals = {name: value.double() for name, value in result.network.state_dict().items() if value.is_floating_point()}
    for value in totals.values():
        value.zero_()
    for profile, share in zip(profiles, shares(profiles, wanted).tolist(), strict=True):
        weights = load_file(there[profile] / WEIGHTS)
        for name, total in totals.items():
            total.add_(weights[name], alpha=share)
    with torch.no_grad():
        for name, value in result.network.state_dict().items():
            if name in totals:
                value.copy_(totals[name])
    return result
