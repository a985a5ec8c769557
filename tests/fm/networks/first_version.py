"""The networks as they were while config.json was of version 1, under labels alone and on square images.

Folders of that version hold weights by these names, and trainings began with these draws. Never to be changed.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TimeEmbedding(nn.Module):
    def __init__(self, width: int, features: int = 64) -> None:
        super().__init__()
        frequencies = 1000.0 * torch.exp(-math.log(10_000.0) * torch.arange(features // 2) / (features // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.first, self.second = nn.Linear(features, width), nn.Linear(width, width)

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None].float() * self.frequencies
        features = torch.cat([angles.cos(), angles.sin()], dim=1)
        return self.second(F.silu(self.first(features.to(self.first.weight.dtype))))


def zero_init(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class UNet(nn.Module):
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

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        embedding = F.silu(self.embed_time(t) + self.embed_label(label))
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
        return self.skip(x) + h


class Downsample(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


class Transformer(nn.Module):
    def __init__(
        self,
        channels: int,
        image_size: int,
        num_classes: int,
        width: int = 64,
        blocks: int = 4,
        heads: int = 4,
        patch_size: int = 2,
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.grid = image_size // patch_size
        self.embed_time = TimeEmbedding(width)
        self.embed_label = nn.Embedding(num_classes + 1, width)
        self.first = nn.Linear(channels * patch_size**2, width)
        self.register_buffer("positions", sine_cosine_positions(self.grid, width), persistent=False)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.last_modulation = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, channels * patch_size**2)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            zero_init(block.modulation)
        zero_init(self.last_modulation)
        zero_init(self.last)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        embedding = F.silu(self.embed_time(t) + self.embed_label(label))
        patches = F.pixel_unshuffle(x, self.patch_size).flatten(2).transpose(1, 2)
        h = self.first(patches) + self.positions.to(x.dtype)
        for block in self.blocks:
            h = block(h, embedding)
        shift, scale = self.last_modulation(embedding)[:, None].chunk(2, dim=-1)
        patches = self.last(self.last_norm(h) * (1 + scale) + shift)
        grid = patches.transpose(1, 2).unflatten(2, (self.grid, self.grid))
        return F.pixel_shuffle(grid, self.patch_size)


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        h = h + gate1 * self._attend(self.norm1(h) * (1 + scale1) + shift1)
        wide = F.gelu(self.widen(self.norm2(h) * (1 + scale2) + shift2), approximate="tanh")
        return h + gate2 * self.narrow(wide)

    def _attend(self, h: Tensor) -> Tensor:
        split = self.queries_keys_values(h).unflatten(2, (3, self.heads, -1))
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        return self.mix(attended.transpose(1, 2).flatten(2))


def sine_cosine_positions(grid: int, width: int) -> Tensor:
    frequencies = 10_000.0 ** -(torch.arange(width // 4) / (width // 4))
    angles = torch.arange(grid)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = line[:, None].expand(grid, grid, -1)
    columns = line[None].expand(grid, grid, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1)
