from torch import Tensor, nn
from torch.nn import functional as F

from fm.components import option
from fm.networks import Autoencoder
from fm.networks.autoencoder_network import AutoencoderNetwork


class Blocks(Autoencoder, says="blocks of pixels, each mixed linearly into one point of the latents"):
    side: int = option(4, least=1, most=64, says="pixels a side of a block")

    @property
    def factor(self) -> int:
        return self.side

    def build(self) -> "Mixed":
        return Mixed(self)


class Mixed(AutoencoderNetwork):
    def __init__(self, options: Blocks) -> None:
        super().__init__()
        self.side = options.side
        numbers = options.in_channels * options.side**2
        self.there = nn.Conv2d(numbers, 2 * options.latent_channels, 1)
        self.back = nn.Conv2d(options.latent_channels, numbers, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.there(F.pixel_unshuffle(x, self.side)).chunk(2, dim=1)
        return mean, log_variance.clamp(-30, 20)

    def decode(self, z: Tensor) -> Tensor:
        return F.pixel_shuffle(self.back(z), self.side)
