"""A generator whose network is one program of torch.export, which runs where this library is not: a folder of
config.json and network.pt2."""

import warnings
from collections.abc import Container
from pathlib import Path

import torch
from torch import Tensor, nn

from fm.codecs import BESIDE, Codec
from fm.components import ANY
from fm.conditions import Condition
from fm.generator import Generator, network_of
from fm.generator_files import read_config, write_config
from fm.networks.converted import Converted, unconverted
from fm.networks.sizes import sizes_alone

PROGRAM = "network.pt2"
EXAMPLE = 2  # data in the batch that the program is traced with: what has one is taken for what always has one


class Program(nn.Module):
    """A program asked as any network: network(x, t, condition, until=None) -> tensor like x.

    Args:
        program: torch.export.load(...).module(), called as program(x, t, condition), with until behind where it is told
            where a step ends.

    >>> Program(lambda x, t, condition: 2 * x, until=False)(torch.ones(1, 1), torch.zeros(1), {})
    tensor([[2.]])
    """

    def __init__(self, program: nn.Module, until: bool) -> None:
        super().__init__()
        self.program = program
        self.until = until

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """Raises ValueError: a second time is told that it does not know."""
        if until is not None and not self.until:
            raise ValueError("this network was not built to be told a second time")
        second = (t if until is None else until,) if self.until else ()
        said: Tensor = self.program(x, t, dict(condition), *second)
        return said


def save(generator: Generator, folder: Path) -> None:
    """Write config.json and network.pt2, which takes batches of any size. Of a network that was made for another path
    the program is that network."""
    network, until = unconverted(generator.network), generator.config.until
    x, t = torch.zeros(EXAMPLE, *generator.shape), torch.zeros(EXAMPLE)
    condition = generator.conditioner.read(generator.conditioner.in_turn(EXAMPLE))
    second = (t,) if until else ()
    batch = {0: torch.export.Dim("batch")}
    shapes = (batch, batch, dict.fromkeys(condition, batch), *(batch for _ in second))
    program = torch.export.export(network, (x, t, dict(condition), *second), dynamic_shapes=shapes, strict=True)
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():  # of weights in another memory format, which are saved as they are
        warnings.filterwarnings("ignore", "No complete tensor found in the group")
        torch.export.save(program, folder / PROGRAM)
    generator.codec.save(folder / BESIDE)
    write_config(folder, generator.config)


def is_there(folder: Path) -> bool:
    """Whether a folder is one that `save` wrote."""
    return (folder / PROGRAM).is_file()


def load(folder: Path, own: Container[str] = ANY) -> Generator:
    """What `save` wrote, on the CPU. A program is code: load those alone that you trust.

    Args:
        own: what is not the library's and may be imported for it (fm.components).

    Raises:
        GeneratorError: config.json is missing, damaged or of a newer version.
    """
    config = read_config(folder, own)
    program = Program(torch.export.load(folder / PROGRAM).module(), config.until)
    codec = Codec.of(config.codec).loaded(folder / BESIDE)
    with sizes_alone():
        network = network_of(config)
    if isinstance(network, Converted):
        network.network = program
        return Generator(config, network, codec)
    return Generator(config, program, codec)
