"""What every solver is: a way from noise to data along a path, in steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from fm.components import Component
from fm.paths import Ends, Path

if TYPE_CHECKING:
    from torch import Tensor

Fresh = Callable[[], "Tensor"]


class Walkable(Protocol):
    """What a solver walks through (fm.field.Field): x (B, ...), and one time for all, (), on the CPU.

    >>> class Still:
    ...     along = Path.of("cond_ot")
    ...     def ends(self, x, t):
    ...         return Ends(x, x)
    ...     def velocity(self, x, t):
    ...         return 0 * x
    >>> import torch
    >>> Solver.of("euler").draw(Still(), torch.ones(1, 1), torch.linspace(0, 1, 3), torch.randn)
    tensor([[1.]])
    """

    @property
    def along(self) -> Path: ...

    def ends(self, x: Tensor, t: Tensor) -> Ends: ...

    def velocity(self, x: Tensor, t: Tensor) -> Tensor: ...

    def jump(self, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor: ...


class Solver(Component, ABC, kind="solver"):
    """From noise to data.

    Attributes:
        convergence: the order with which its error falls with the number of steps.
        calls: of the network a step; none where it decides as it goes.
        until: whether its network has to be one that is told where a step ends.

    >>> Solver.of("heun").evaluations(steps=10)
    20
    """

    convergence: ClassVar[str]
    calls: ClassVar[int | None]
    until: ClassVar[bool] = False
    columns: ClassVar[Mapping[str, str]] = {"order": "convergence", "calls a step": "calls"}

    def __init_subclass__(cls, *, convergence: str = "", calls: int | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        cls.convergence, cls.calls = convergence, calls

    @abstractmethod
    def draw(self, field: Walkable, x: Tensor, times: Tensor, fresh: Fresh) -> Tensor:
        """From x (B, ...) at the first of the rising times to the last of them, like x.

        Args:
            fresh: noise of the path's source like x, for stochastic solvers.
        """

    def last(self, path: Path) -> float:
        """The time where it ends: where the path's velocity does, unless it needs none."""
        return path.interval[1]

    def evaluations(self, steps: int) -> int | None:
        """Calls of the network in so many steps, without guidance; none if that is not known before."""
        return None if self.calls is None else self.calls * steps

    def bounded(self, bound: float | None) -> Self:
        """The same for a codec whose data are within -bound and bound, where it clips to them."""
        return self
