from torch import Tensor, nn
from torch.nn import functional as F

from fm.batches import Batch
from fm.components import option
from fm.noise import Purpose
from fm.objectives import Objective
from fm.paths import Path


class Huber(Objective, says="the Huber loss of the velocity, which large errors pull at less"):
    path: Path
    delta: float = option(1.0, above=0, most=100, says="error from which it grows no faster than linearly")

    def loss(self, network: nn.Module, batch: Batch, averaged: nn.Module) -> Tensor:
        t = batch.draws.uniform(1, Purpose.TIME)[:, 0].to(batch.data)
        point = self.path.sample(batch.noise(), batch.data, t)
        return F.huber_loss(network(point.x_t, t, batch.given), point.velocity, delta=self.delta)
