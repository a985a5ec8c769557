from torch import Tensor

from fm.components import option
from fm.paths import Path
from fm.timesteps import Timesteps


class Power(Timesteps, says="from a power of uniform ones"):
    """t = u^n: above 1 more of the times near noise."""

    n: float = option(2.0, above=0, most=10, says="exponent of u")

    def __call__(self, u: Tensor, path: Path) -> Tensor:
        return u**self.n
