from torch import Tensor

from fm.components import option
from fm.paths import Path


class Squared(Path, says="a path whose data come late", formula="$t^n$, $1 - t$"):
    """alpha = t^n, sigma = 1 - t."""

    n: float = option(2.0, above=0, most=10, says="exponent of t")

    def alpha(self, t: Tensor) -> Tensor:
        return t**self.n

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - t
