"""What a trained network says about a point: one of the path's quantities, whichever is asked for."""

from torch import Tensor, nn

from fm.change_of_path import matching_time, scale
from fm.conditions import Condition
from fm.guidance import NONE, Guidance, guided
from fm.paths import Ends, Path, factor, for_each, like
from fm.targets import Target, Velocity


class Field:
    """A network together with its path and target, under a given condition. Calls of the network are counted.

    Times are (B,), or () where one holds for all: on the CPU, that one is looked at without waiting for a device.

    Args:
        condition: what the data are under, a row each; nothing if left out.
        null: "no condition" for as many, which guidance leads away from.
        weak: a network to lead away from instead, under the same condition.

    Attributes:
        nfe: calls of networks so far (number of function evaluations); guidance makes two a point.
        along: the path that x and t are on; the network's own unless given.

    >>> import torch
    >>> from fm.networks import UNetOptions
    >>> network = UNetOptions(width=8).build((1, 8, 8), {})
    >>> field = Field(network, Path.of("cond_ot"), Target.of("velocity"))
    >>> field.velocity(torch.zeros(2, 1, 8, 8), torch.rand(2)).shape, field.nfe
    (torch.Size([2, 1, 8, 8]), 1)
    """

    def __init__(
        self,
        network: nn.Module,
        path: Path,
        target: Target,
        condition: Condition | None = None,
        null: Condition | None = None,
        guidance: Guidance = NONE,
        along: Path | None = None,
        weak: nn.Module | None = None,
    ) -> None:
        self.network = network
        self.path = path
        self.target = target
        self.condition = condition or {}
        self.null = null or {}
        self.guidance = guidance
        self.along = along or path
        self.weak = weak
        self.nfe = 0
        self._dtypes = {one: next(one.parameters()).dtype for one in (network, weak) if one is not None}

    def ends(self, x: Tensor, t: Tensor) -> Ends:
        """The noise and the data that x (B, ...) at t lies between, by one prediction."""
        own_x, own_t = self._own(x, t)
        return self.path.ends(self._predict(own_x, own_t, t), own_x, own_t, self.target.quantity)

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """dx/dt along the path at x (B, ...) and t."""
        if self.along == self.path:
            return self.path.convert(self._predict(x, t, t), x, t, source=self.target.quantity, target="velocity")
        x0, x1 = self.ends(x, t)
        a, b = self.along.mixture("velocity", like(t, x))
        return a * x1 + b * x0

    def jump(self, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        """Where x (B, ...) at t is at t_next, by one prediction: of the mean velocity from t until then.

        Raises:
            ValueError: the network says something else, or of another path.
        """
        if self.target != Velocity() or self.along != self.path:
            raise ValueError("only a network that predicts the velocity can jump, and only along its own path")
        return x + like(t_next - t, x) * self._predict(x, t, t, t_next)

    def _own(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The point of the network's own path that (x, t) corresponds to."""
        if self.along == self.path:
            return x, t
        own_t = matching_time(self.along, self.path, t)
        return x * factor(scale(self.along, self.path, t, own_t), x), own_t.to(t)

    def _predict(self, x: Tensor, t: Tensor, t_along: Tensor, until: Tensor | None = None) -> Tensor:
        """The network's own target at (x, t), guided where t_along says so."""
        strong = self._call(self.network, x, t, self.condition, until)
        if not self.guidance.acts_at(t_along):
            return strong
        if self.weak is None:
            weak = self._call(self.network, x, t, self.null, until)
        else:
            weak = self._call(self.weak, x, t, self.condition, until)
        return guided(weak, strong, self.guidance.scales(t_along))

    def _call(self, network: nn.Module, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None) -> Tensor:
        self.nfe += 1
        dtype = self._dtypes[network]
        x_seen, t_seen = self.target.inputs(self.path, x, t)
        told = {name: value.to(dtype) if value.is_floating_point() else value for name, value in condition.items()}
        x_seen = x_seen.to(dtype)
        second = {} if until is None else {"until": for_each(until, x_seen)}
        out: Tensor = network(x_seen, for_each(t_seen, x_seen), told, **second)
        return out.to(x.dtype)
