"""A sampler as a table, by which anybody can draw from its network without this project (portable.walk).

Between two calls of the network every sampler only mixes what it has, by numbers that do not depend on the data. So it
is run once on the weights of a mixture instead of on images: noise and each answer of the network are unit vectors, and
what the network is called with is the mixture that it is called with.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from fm.conditions import Condition
from fm.errors import UserError
from fm.field import Field
from fm.generator import Generator
from fm.guidance import Guidance
from fm.networks.converted import Converted, unconverted
from fm.noise import Draws, Purpose
from fm.paths import Ends
from fm.paths import Path as ProbabilityPath
from fm.sampling import draw
from fm.solvers import Solver
from fm.solvers.gaussian import Clipping
from pipelines.export.portable.walk import walk

MOST_ROWS = 1024
"""A table grows with the square of its rows."""
NEAR = 2e-4
"""How close a table has to come to the sampler, in parts of the largest value: a fortieth of a grey level."""
Table = dict[str, Any]


class Rows(nn.Module):
    """Stands for the network, and writes down what it is called with.

    >>> rows = Rows()
    >>> noise = rows.drawn()
    >>> said = rows(0.5 * noise, torch.tensor([0.25]), {"null": torch.tensor([False])})
    >>> rows.rows, mix(noise + 3 * said)
    ([{}, {'mix': [[0, 0.5]], 't': 0.25}], [[0, 1.0], [1, 3.0]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.dtype = nn.Parameter(torch.zeros((), dtype=torch.float64))  # by which Field knows it
        self.rows: list[Table] = []

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        row: Table = {"mix": mix(x), "t": float(t)}
        if until is not None:
            row["until"] = float(until)
        if condition["null"]:
            row["null"] = True
        return self.add(row)

    def drawn(self) -> Tensor:
        return self.add({})

    def bounded(self, x: Tensor, bound: float) -> Tensor:
        return self.add({"mix": mix(x), "bound": bound})

    def add(self, row: Table) -> Tensor:
        """The unit vector of a new row, (1, MOST_ROWS)."""
        if len(self.rows) == MOST_ROWS:
            raise UserError(
                f"this sampler takes more than {MOST_ROWS} rows to write down: take fewer --steps or another --solver"
            )
        self.rows.append(row)
        unit = torch.zeros(1, MOST_ROWS, dtype=torch.float64)
        unit[0, len(self.rows) - 1] = 1
        return unit


class Recorded(Field):
    """The field of a generator's sampler, as it is walked to write down the table."""

    def __init__(self, generator: Generator, rows: Rows) -> None:
        sampler = generator.config.sampler
        solver = Solver.of(sampler.solver)
        if sampler.snapshot is not None and sampler.scale != 1:
            raise UserError(f"{sampler.label}: the weaker network stays here: take --guidance 1, which is none")
        super().__init__(
            inside(generator.network, rows),
            generator.path,
            generator.target,
            {"null": torch.tensor([False])},
            {"null": torch.tensor([True])},
            Guidance(sampler.scale, sampler.guidance_interval),
            along=None if sampler.path is None else ProbabilityPath.of(sampler.path),
        )
        self.rows = rows
        self.clips = isinstance(solver, Clipping) and solver.clip is not None

    def ends(self, x: Tensor, t: Tensor) -> Ends:
        found = super().ends(x, t)
        return found._replace(x1=cast(Tensor, Clippable(found.x1, self.rows))) if self.clips else found


def inside(network: nn.Module, rows: Rows) -> nn.Module:
    """The rows in the place of a network that was made for another path: the change is a mixture too."""
    if not isinstance(network, Converted):
        return rows
    return Converted(rows, network.path, network.target, network.along, network.answer)


class Clippable:
    """Predicted data of a sampler that clips them, which no mixture can say.

    >>> rows = Rows()
    >>> mix(Clippable(rows.drawn(), rows).clamp(-1, 1)), rows.rows[1]
    ([[1, 1.0]], {'mix': [[0, 1.0]], 'bound': 1})
    """

    def __init__(self, x: Tensor, rows: Rows) -> None:
        self.x, self.rows = x, rows

    def clamp(self, low: float, high: float) -> Tensor:
        return self.rows.bounded(self.x, high)


def mix(x: Tensor) -> list[list[float]]:
    """The weights that are not zero, each behind the place of its row."""
    return [[place, weight] for place, weight in enumerate(x[0].tolist()) if weight != 0]


def table_of(generator: Generator) -> Table:
    """The generator's sampler.

    Raises:
        UserError: it is more than a table can say, as one that chooses its steps, or takes too many rows.
    """
    rows, sampler = Rows(), generator.config.sampler
    if Solver.of(sampler.solver).calls is None:
        raise UserError(
            f"{sampler.label} chooses its steps as it goes and cannot be exported: take another --solver, "
            "for example euler, midpoint or ddim"
        )
    data = draw(Recorded(generator, rows), rows.drawn(), sampler, rows.drawn, generator.codec.bound)
    table = {"solver": sampler.label, "steps": sampler.steps, "rows": rows.rows, "data": mix(data)}
    require_same(generator, table)
    return table


@torch.no_grad()
def require_same(generator: Generator, table: Table) -> None:
    """That a table makes what the sampler makes. Raises UserError."""
    asked = generator.conditioner.in_turn(2)
    expected, _ = generator.sample_float(2, seed=0)
    found = walk(table, noise_of(generator, 2), network_of(generator, asked))
    if not float((found - expected).abs().max()) < NEAR * max(float(expected.abs().max()), 1):
        raise UserError(
            f"{table['solver']} decides by what the network says, which cannot be written down: take another --solver, "
            "for example euler, midpoint or ddim"
        )


def noise_of(generator: Generator, count: int, seed: int = 0) -> Any:
    """What the generator's sampler draws for its first images of a seed, one after the other."""
    return Draws(seed, range(count)).successive(generator.shape, Purpose.SAMPLE)


def network_of(generator: Generator, asked: Sequence[Any]) -> Any:
    """The generator's network as a table calls it."""
    condition = generator.condition(asked)
    null = generator.conditioner.null(condition)

    def network(x: Tensor, t: float, until: float | None, without: bool) -> Tensor:
        second = {} if until is None else {"until": x.new_full((len(x),), until)}
        said: Tensor = unconverted(generator.network)(
            x, x.new_full((len(x),), t), null if without else condition, **second
        )
        return said

    return network
