"""A class-conditional UNet (Ho et al. 2020, arXiv 2006.11239, appendix B; Dhariwal & Nichol 2021).

It differs from the original in one thing that makes it trainable on two CPU cores: the image is first
cut into `patch_size` x `patch_size` blocks of pixels (space to depth), so that most of the arithmetic
happens at a coarser grid and in wider channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition
from fm.networks.layers import TimeEmbedding, zero_init


class UNet(nn.Module):
    """network(x, t, condition, until=None) -> tensor like x.

    Args:
        channels: channels of the image.
        image_size: its side in pixels, a multiple of patch_size.
        num_classes: number of labels; the label `num_classes` itself means "no label".
        width: channels of the first level, a multiple of 8.
        multipliers: width of each level as a multiple of `width`; every further level halves the grid.
        blocks: residual blocks per level and direction.
        patch_size: side of the pixel blocks that the network works on.
    """

    def __init__(
        self,
        channels: int,
        image_size: int,
        num_classes: int,
        width: int = 32,
        multipliers: tuple[int, ...] = (1, 2),
        blocks: int = 2,
        patch_size: int = 2,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"image_size {image_size} is not a multiple of patch_size {patch_size}")
        self.num_classes = num_classes
        self.patch_size = patch_size
        embedding = 4 * width
        self.embed_time = TimeEmbedding(embedding)
        self.embed_label = nn.Embedding(num_classes + 1, embedding)
        self.first = nn.Conv2d(channels * patch_size**2, width, 3, padding=1)

        widths = [width * multiplier for multiplier in multipliers]
        self.down = nn.ModuleList()
        skips = [width]
        current = width
        for level, level_width in enumerate(widths):
            if level:
                self.down.append(Downsample(current))
                skips.append(current)
            for _ in range(blocks):
                self.down.append(ResidualBlock(current, level_width, embedding))
                current = level_width
                skips.append(current)
        self.middle = ResidualBlock(current, current, embedding)
        self.up = nn.ModuleList()
        for level, level_width in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.up.append(ResidualBlock(current + skips.pop(), level_width, embedding))
                current = level_width
            if level:
                self.up.append(Upsample(current))
        self.last_norm = nn.GroupNorm(8, current)
        self.last = zero_init(nn.Conv2d(current, channels * patch_size**2, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """x (B, C, H, W) float; t (B,) in [0, 1]; of the condition `label` (B,) int64 in [0, num_classes]."""
        embedding = F.silu(self.embed_time(t) + self.embed_label(condition["label"]))
        h = self.first(F.pixel_unshuffle(x, self.patch_size))
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding)
            skips.append(h)
        h = self.middle(h, embedding)
        for layer in self.up:
            if isinstance(layer, Upsample):
                h = layer(h, skips[-1].shape[-2:])
            else:
                h = layer(torch.cat([h, skips.pop()], dim=1), embedding)
        h = self.last(F.silu(self.last_norm(h)))
        return F.pixel_shuffle(h, self.patch_size)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions; time and label scale and shift the second norm (Dhariwal & Nichol 2021)."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.conv2 = zero_init(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        out: Tensor = self.skip(x) + h
        return out


class Downsample(nn.Module):
    """Halves the grid, odd sizes rounded up."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Brings the grid to the size of the skip connection that comes next."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        out: Tensor = self.conv(F.interpolate(x, size=size, mode="nearest"))
        return out
