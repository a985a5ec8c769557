from torch import Tensor

from fm.paths import Path, Quantity
from fm.weights import Weight


class Late(Weight, says="with errors counting more near the data"):
    """t on the network's own target."""

    def __call__(self, t: Tensor, path: Path, target: Quantity) -> Tensor:
        return t
