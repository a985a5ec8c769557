from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from fm.components import option
from fm.conditions import Condition, Spec
from fm.networks import Network
from fm.networks.conditioned import Conditioned
from fm.paths import like


class Pointwise(Network, says="the same small network at every point, for data without neighbours"):
    width: int = option(32, least=1, most=4096, says="hidden channels")

    def build(self, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False) -> nn.Module:
        return PointwiseNetwork(self.width, shape, fields, until)


class PointwiseNetwork(Conditioned):
    def __init__(self, width: int, shape: Sequence[int], fields: Mapping[str, Spec], until: bool) -> None:
        super().__init__(width, fields, until)
        self.before = nn.Linear(shape[0] + self.map_channels, width)
        self.after = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, shape[0]))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        embedding, _ = self.embedded(t, condition, until)
        hidden = self.before(self.with_maps(x, condition).movedim(1, -1)).movedim(-1, 1)
        return self.after((hidden + like(embedding, hidden)).movedim(1, -1)).movedim(-1, 1)
