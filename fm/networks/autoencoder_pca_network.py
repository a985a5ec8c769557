"""Principal components of patches as latents, and a network that adds details to what they give back."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.networks.autoencoder_network import CERTAIN, AutoencoderNetwork
from fm.networks.autoencoder_pca import AutoencoderPCA
from fm.networks.layers import zero_init

LEAST = 1e-4
"""The smallest size that a component is divided by: of pixels in [-1, 1], and of all components together."""


class AutoencoderPCANetwork(AutoencoderNetwork):
    """Latents are linear in a patch, together of mean square 1, each as large as it is in pictures; what is made of
    them sees neighbouring patches too.

    >>> network = AutoencoderPCANetwork(AutoencoderPCA(latent_channels=2, patch=4, widths=(8, 4)))
    >>> network.initialise([torch.full((2, 3, 16, 16), -0.5), torch.full((2, 3, 16, 16), 0.25)])
    >>> network(torch.full((1, 3, 8, 8), 0.75)).detach().std().item() < 1e-3  # grey again, without details
    True
    """

    sizes: Tensor
    """Root mean square of each latent (latents, 1, 1): the details look at latents of equal size."""

    def __init__(self, options: AutoencoderPCA) -> None:
        super().__init__()
        channels, latents, patch = options.in_channels, options.latent_channels, options.patch
        self.components = nn.Conv2d(channels, latents, patch, stride=patch)
        self.patches = nn.ConvTranspose2d(latents, channels, patch, stride=patch)
        self.register_buffer("sizes", torch.ones(latents, 1, 1))
        self.details = details(options)

    def initialise(self, pictures: Iterable[Tensor]) -> None:
        """With the components, which are trained no further: steps that are as large for the smallest weight as for the
        largest would spoil them before the details had learnt anything."""
        vectors, sizes = principal_components(pictures, self.components)
        scale = sizes.square().mean().sqrt().clamp(min=LEAST)
        self.sizes.copy_((sizes / scale).clamp(min=LEAST)[:, None, None])
        with torch.no_grad():
            self.components.weight.copy_(vectors / scale)
            self.patches.weight.copy_(vectors * scale)
            for layer in (self.components, self.patches):
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
                layer.requires_grad_(False)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.components(x)
        return mean, torch.full_like(mean, CERTAIN)

    def decode(self, z: Tensor) -> Tensor:
        made: Tensor = self.patches(z) + self.details(z / self.sizes)
        return made


def principal_components(pictures: Iterable[Tensor], like: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """What most of the mean square of patches lies along, and how far along each: of all projections onto as many
    vectors, the one that the patches are nearest to (Eckart & Young 1936). About zero, not about the mean, so that it
    needs no bias for each place.

    Args:
        pictures: (B, C, H, W), some at a time.
        like: a convolution whose kernels are the patches, without overlap.

    Returns:
        Orthonormal vectors with the shape of its weights, the first of the greatest root mean square, and those.
    """
    numbers = like.weight[0].numel()
    moments, count = torch.zeros(numbers, numbers, dtype=torch.float64), 0
    for some in pictures:
        flat = F.unfold(some, like.kernel_size, stride=like.stride).movedim(1, 0).flatten(1)
        moments += (flat @ flat.T).double()
        count += flat.shape[1]
    squares, vectors = torch.linalg.eigh(moments / max(count, 1))
    found = vectors.T.flip(0)[: len(like.weight)]
    found = found * torch.where(found.sum(dim=1, keepdim=True) < 0, -1.0, 1.0)  # their signs are of no meaning
    return found.reshape(like.weight.shape), squares.flip(0)[: len(like.weight)].clamp(min=0).sqrt()


def details(options: AutoencoderPCA) -> nn.Sequential:
    """From the grid of latents to ever finer ones, then to pixels; 0 before it is trained."""
    layers: list[nn.Module] = [nn.Conv2d(options.latent_channels, options.widths[0], 3, padding=1)]
    for level, width in enumerate(options.widths):
        if level:
            layers += [nn.Conv2d(options.widths[level - 1], 4 * width, 3, padding=1), nn.PixelShuffle(2)]
        layers += [Residual(width) for _ in range(options.blocks)]
    last = zero_init(nn.Conv2d(options.widths[-1], options.in_channels * options.finest**2, 3, padding=1))
    return nn.Sequential(*layers, nn.SiLU(), last, nn.PixelShuffle(options.finest))


class Residual(nn.Module):
    """Two convolutions beside a way past them, which is all there is before they are trained.

    >>> x = torch.ones(1, 8, 4, 4)
    >>> torch.equal(Residual(8)(x), x)
    True
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = zero_init(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.second(F.silu(self.first(F.silu(x))))
        return made
