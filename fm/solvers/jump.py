"""Walks in leaps, for networks that know where a leap ends."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from fm.solvers.ode import at_least_float32, on_host
from fm.solvers.solver import Fresh, Solver, Walkable

if TYPE_CHECKING:
    from torch import Tensor


class Jump(
    Solver,
    name="jump",
    says="one call a step, of a network that is told where the step ends (few-step methods)",
    source="Geng et al. 2025, arXiv 2505.13447",
    calls=1,
):
    """x at the next time is x + (t_next - t) u(x, t, t_next), u the mean velocity in between (fm.field.Field.jump).

    >>> Jump().evaluations(steps=2)
    2
    """

    until: ClassVar[bool] = True

    def draw(self, field: Walkable, x: Tensor, times: Tensor, fresh: Fresh) -> Tensor:
        x = at_least_float32(x)
        for t, t_next in pairwise(on_host(times)):
            x = field.jump(x, t, t_next)
        return x
