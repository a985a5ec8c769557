"""A training objective: path x coupling x timestep distribution x prediction target x loss weight."""

from dataclasses import dataclass

from torch import Tensor, nn

from fm.couplings import Coupling, coupling_named
from fm.names import Choice, require_target
from fm.paths import Path, Quantity, path_named
from fm.targets import network_inputs, regression_target
from fm.timesteps import Stratified, Timesteps, timesteps_named
from fm.weights import Weight, weight_named


@dataclass(frozen=True)
class Objective:
    """E over t, x0, x1 of weight(t) |network(x_t, t) - target|^2, the mean over pixels."""

    path: Path
    coupling: Coupling
    timesteps: Timesteps
    target: Quantity
    weight: Weight

    def __post_init__(self) -> None:
        require_target(self.target)

    @classmethod
    def named(cls, path: Choice, coupling: Choice, timesteps: Choice, target: Quantity, weight: Choice) -> "Objective":
        """From a method's row in params.yaml. Raises ValueError for a name or an option that cannot be."""
        return cls(path_named(path), coupling_named(coupling), timesteps_named(timesteps), target, weight_named(weight))

    @property
    def stratified(self) -> bool:
        """Whether a batch's times are to be spread evenly."""
        return isinstance(self.timesteps, Stratified)

    def loss(self, network: nn.Module, x0: Tensor, x1: Tensor, u: Tensor, labels: Tensor, condition: Tensor) -> Tensor:
        """The loss of one batch, a scalar.

        Args:
            x0: noise (B, C, H, W).
            x1: data, like x0.
            u: uniform numbers in [0, 1), float (B,), from which t is made.
            labels: int64 (B,), for the coupling.
            condition: int64 (B,), what the network is told: labels, some replaced by "no label".
        """
        t = self.timesteps(u, self.path).clamp(*self.path.interval)
        point = self.path.sample(self.coupling(x0, x1, labels), x1, t)
        seen = network_inputs(self.path, self.target, point.x_t, t)
        error: Tensor = (
            network(*seen, {"label": condition}) - regression_target(self.path, point, self.target)
        ).square()
        # A weight can be 0 times infinity at the very ends, which are drawn once in 16 million times.
        weight = self.weight(t.clamp(1e-5, 1 - 1e-5), self.path, self.target)
        return (weight * error.flatten(1).mean(dim=1)).mean()
