import torch
from torch import Tensor

from fm.couplings import Coupling


class ByMean(Coupling, says="by rank of their means"):
    """The noise of the largest mean goes to the datum of the largest mean, and so on."""

    def __call__(self, x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Tensor:
        paired = torch.empty_like(x0)
        paired[x1.flatten(1).mean(1).argsort()] = x0[x0.flatten(1).mean(1).argsort()]
        return paired
