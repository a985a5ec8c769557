"""What a trained network says about a point: one of four quantities, whichever is asked for."""

from torch import Tensor, nn

from fm.guidance import guided
from fm.paths import Path, Quantity


class Field:
    """A network together with its path and target, for given labels. Calls of the network are counted.

    Attributes:
        nfe: calls of the network so far (number of function evaluations); guidance makes two a point.
    """

    def __init__(
        self, network: nn.Module, path: Path, target: Quantity, labels: Tensor, no_label: int, guidance: float = 1.0
    ) -> None:
        self.network = network
        self.path = path
        self.target = target
        self.labels = labels
        self.no_label = no_label
        self.guidance = guidance
        self.nfe = 0

    def predict(self, x: Tensor, t: Tensor) -> Tensor:
        """The network's own target at x (B, C, H, W) and t (B,), guided."""
        return guided(self._call, x, t, self.labels, self.no_label, self.guidance)

    def __call__(self, x: Tensor, t: Tensor, quantity: Quantity) -> Tensor:
        return self.path.convert(self.predict(x, t), x, t, source=self.target, target=quantity)

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        return self(x, t, "velocity")

    def ends(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The noise and the data that (x, t) lies between, by one prediction."""
        prediction = self.predict(x, t)
        noise = self.path.convert(prediction, x, t, source=self.target, target="noise")
        data = self.path.convert(prediction, x, t, source=self.target, target="data")
        return noise, data

    def _call(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        self.nfe += 1
        dtype = next(self.network.parameters()).dtype
        out: Tensor = self.network(x.to(dtype), t.to(dtype), labels)
        return out.to(x.dtype)
