"""What a trained network says about a point: one of the path's quantities, whichever is asked for."""

from torch import Tensor, nn

from fm.change_of_path import matching_time, scale
from fm.guidance import NONE, Guidance, guided
from fm.names import require_target
from fm.paths import Ends, Path, Quantity, like
from fm.targets import network_inputs


class Field:
    """A network together with its path and target, for given labels. Calls of the network are counted.

    Attributes:
        nfe: calls of the network so far (number of function evaluations); guidance makes two a point.
        along: the path that x and t are on; the network's own unless given.
    """

    def __init__(
        self,
        network: nn.Module,
        path: Path,
        target: Quantity,
        labels: Tensor,
        no_label: int,
        guidance: Guidance = NONE,
        along: Path | None = None,
    ) -> None:
        require_target(target)
        self.network = network
        self.path = path
        self.target = target
        self.labels = labels
        self.no_label = no_label
        self.guidance = guidance
        self.along = along or path
        self.nfe = 0

    def ends(self, x: Tensor, t: Tensor) -> Ends:
        """The noise and the data that x (B, C, H, W) at t (B,) lies between, by one prediction."""
        own_x, own_t = self._own(x, t)
        return self.path.ends(self._predict(own_x, own_t, t), own_x, own_t, self.target)

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """dx/dt along the path at x (B, C, H, W) and t (B,)."""
        if self.along == self.path:
            return self.path.convert(self._predict(x, t, t), x, t, source=self.target, target="velocity")
        x0, x1 = self.ends(x, t)
        a, b = self.along.mixture("velocity", like(t, x))
        return a * x1 + b * x0

    def _own(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The point of the network's own path that (x, t) corresponds to."""
        if self.along == self.path:
            return x, t
        own_t = matching_time(self.along, self.path, t)
        return x * like(scale(self.along, self.path, t, own_t), x).to(x), own_t.to(t)

    def _predict(self, x: Tensor, t: Tensor, t_along: Tensor) -> Tensor:
        """The network's own target at (x, t), guided where t_along says so."""
        return guided(lambda labels: self._call(x, t, labels), t_along, self.labels, self.no_label, self.guidance)

    def _call(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        self.nfe += 1
        dtype = next(self.network.parameters()).dtype
        x_seen, t_seen = network_inputs(self.path, self.target, x, t)
        out: Tensor = self.network(x_seen.to(dtype), t_seen.to(dtype), {"label": labels})
        return out.to(x.dtype)
