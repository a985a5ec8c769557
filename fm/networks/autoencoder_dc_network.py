"""diffusers' AutoencoderDC: from grid to grid there is a way past that only averages or copies. Modules are called as
there, so that weights fit by their names."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.arithmetic import without_autocast
from fm.networks.autoencoder_dc import AutoencoderDC
from fm.networks.autoencoder_network import CERTAIN, AutoencoderNetwork

EPS = 1e-5
"""Added to mean squares in norms."""


class AutoencoderDCNetwork(AutoencoderNetwork):
    """Answers as AutoencoderDC does of the same weights.

    >>> small = {"block_out_channels": (8, 16), "layers_per_block": (1, 1), "qkv_multiscales": ((), ())}
    >>> both = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in small.items()}
    >>> AutoencoderDCNetwork(AutoencoderDC(latent_channels=4, **both))(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, options: AutoencoderDC) -> None:
        super().__init__()
        self.encoder = Encoder(options)
        self.decoder = Decoder(options)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.encoder(x)
        return mean, torch.full_like(mean, CERTAIN)

    def decode(self, z: Tensor) -> Tensor:
        made: Tensor = self.decoder(z)
        return made


class Encoder(nn.Module):
    """Pictures (B, C, H, W) to latents (B, c, h, w).

    >>> with torch.device("meta"):
    ...     encoder = Encoder(AutoencoderDC())
    >>> encoder(torch.zeros(1, 3, 32, 32, device="meta")).shape
    torch.Size([1, 32, 1, 1])
    """

    def __init__(self, options: AutoencoderDC) -> None:
        super().__init__()
        widths, counts = options.encoder_block_out_channels, options.encoder_layers_per_block
        by_channels = options.downsample_block_type == "pixel_unshuffle"
        self.conv_in = (
            nn.Conv2d(options.in_channels, widths[0], 3, padding=1)
            if counts[0]
            else Halved(options.in_channels, widths[1], by_channels, past=False)
        )
        levels = []
        for level, (width, count) in enumerate(zip(widths, counts, strict=True)):
            layers = blocks(options, "encoder", level, width, count)
            if count and level < len(widths) - 1:
                layers.append(Halved(width, widths[level + 1], by_channels))
            levels.append(nn.Sequential(*layers))
        self.down_blocks = nn.ModuleList(levels)
        self.conv_out = nn.Conv2d(widths[-1], options.latent_channels, 3, padding=1)
        self.averaged = widths[-1] // options.latent_channels if options.encoder_out_shortcut else 0

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(x)
        for level in self.down_blocks:
            h = level(h)
        made: Tensor = self.conv_out(h)
        return made + h.reshape(len(h), -1, self.averaged, *h.shape[2:]).mean(dim=2) if self.averaged else made


class Decoder(nn.Module):
    """Latents (B, c, h, w) to pictures (B, C, H, W).

    >>> with torch.device("meta"):
    ...     decoder = Decoder(AutoencoderDC())
    >>> decoder(torch.zeros(1, 32, 1, 1, device="meta")).shape
    torch.Size([1, 3, 32, 32])
    """

    def __init__(self, options: AutoencoderDC) -> None:
        super().__init__()
        widths, counts = options.decoder_block_out_channels, options.decoder_layers_per_block
        by_channels = options.upsample_block_type == "pixel_shuffle"
        self.conv_in = nn.Conv2d(options.latent_channels, widths[-1], 3, padding=1)
        levels = []
        for level, (width, count) in enumerate(zip(widths, counts, strict=True)):
            from_coarser = [Doubled(widths[level + 1], width, by_channels)] if count and level < len(widths) - 1 else []
            levels.append(nn.Sequential(*from_coarser, *blocks(options, "decoder", level, width, count)))
        self.up_blocks = nn.ModuleList(levels)
        last = widths[0] if counts[0] else widths[1]
        self.norm_out = ChannelNorm(last)
        self.conv_out = (
            nn.Conv2d(last, options.in_channels, 3, padding=1)
            if counts[0]
            else Doubled(last, options.in_channels, by_channels, past=False)
        )
        self.copies = widths[-1] // options.latent_channels if options.decoder_in_shortcut else 0

    def forward(self, z: Tensor) -> Tensor:
        h = self.conv_in(z)
        if self.copies:
            h = h + z.repeat_interleave(self.copies, dim=1)
        for level in reversed(self.up_blocks):
            h = level(h)
        made: Tensor = self.conv_out(F.relu(self.norm_out(h)))
        return made


def blocks(options: AutoencoderDC, side: str, level: int, width: int, count: int) -> list[nn.Module]:
    kinds, scales = getattr(options, f"{side}_block_types"), getattr(options, f"{side}_qkv_multiscales")[level]
    kind = kinds if isinstance(kinds, str) else kinds[level]
    if kind == "ResBlock":
        return [Residual(width) for _ in range(count)]
    return [Attending(width, options.attention_head_dim, scales) for _ in range(count)]


class ChannelNorm(nn.Module):
    """Each point's channels by their root mean square (Zhang & Sennrich 2019, arXiv 1910.07467), and a bias.

    >>> ChannelNorm(2)(torch.tensor([[[[7.0]], [[1.0]]]])).flatten().detach()
    tensor([1.4000, 0.2000])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * (x.square().mean(dim=1, keepdim=True) + EPS).rsqrt()
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


class Residual(nn.Module):
    """Two convolutions beside a way past them.

    >>> Residual(8)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = ChannelNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.norm(self.conv2(F.silu(self.conv1(x))))
        return made


class Attending(nn.Module):
    """Attention whose cost grows with the points and not with their pairs, and a gated convolution.

    >>> Attending(16, head=8, scales=(5,))(torch.zeros(1, 16, 4, 4)).shape
    torch.Size([1, 16, 4, 4])
    """

    def __init__(self, width: int, head: int, scales: tuple[int, ...]) -> None:
        super().__init__()
        self.attn = LinearAttention(width, head, scales)
        self.conv_out = Gated(width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv_out(self.attn(x))
        return made


class LinearAttention(nn.Module):
    """Every point looks at all of them, by products of what is at least 0 (Cai et al. 2022, arXiv 2205.14756).

    >>> LinearAttention(16, head=8, scales=(3,))(torch.zeros(1, 16, 4, 4)).shape
    torch.Size([1, 16, 4, 4])
    """

    smallest = 1e-15  # added to sums that may be 0

    def __init__(self, width: int, head: int, scales: tuple[int, ...]) -> None:
        super().__init__()
        heads = width // head
        self.head, inner = head, heads * head
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, inner, bias=False) for _ in range(3))
        self.to_qkv_multiscale = nn.ModuleList(Around(3 * inner, 3 * heads, side) for side in scales)
        self.to_out = nn.Linear(inner * (1 + len(scales)), width, bias=False)
        self.norm_out = ChannelNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        points = x.movedim(1, -1)
        single = torch.cat([self.to_q(points), self.to_k(points), self.to_v(points)], dim=-1).movedim(-1, 1)
        every = torch.cat([single, *(around(single) for around in self.to_qkv_multiscale)], dim=1)
        with without_autocast(x.device):
            seen = self.seen(every.to(torch.promote_types(every.dtype, torch.float32)))
        made = self.to_out(seen.to(every.dtype).reshape(len(x), -1, *x.shape[2:]).movedim(1, -1)).movedim(-1, 1)
        normed: Tensor = self.norm_out(made)
        return x + normed

    def seen(self, every: Tensor) -> Tensor:
        """Of queries, keys and values (B, ..., H, W), head after head."""
        q, k, v = every.reshape(len(every), -1, 3 * self.head, every.shape[2:].numel()).chunk(3, dim=2)
        v = F.pad(v, (0, 0, 0, 1), value=1.0)  # whose sum is what the others are divided by
        summed = v @ F.relu(k).mT @ F.relu(q)
        return summed[:, :, :-1] / (summed[:, :, -1:] + self.smallest)


class Around(nn.Module):
    """Of each point's neighbours, channel by channel, and then head by head.

    >>> Around(24, heads=3, side=5)(torch.zeros(1, 24, 4, 4)).shape
    torch.Size([1, 24, 4, 4])
    """

    def __init__(self, channels: int, heads: int, side: int) -> None:
        super().__init__()
        self.proj_in = nn.Conv2d(channels, channels, side, padding=side // 2, groups=channels, bias=False)
        self.proj_out = nn.Conv2d(channels, channels, 1, groups=heads, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        made: Tensor = self.proj_out(self.proj_in(h))
        return made


class Gated(nn.Module):
    """Convolutions of which one half opens the other, beside a way past them.

    >>> Gated(8)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_inverted = nn.Conv2d(width, 8 * width, 1)
        self.conv_depth = nn.Conv2d(8 * width, 8 * width, 3, padding=1, groups=8 * width)
        self.conv_point = nn.Conv2d(4 * width, width, 1, bias=False)
        self.norm = ChannelNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        h, gate = self.conv_depth(F.silu(self.conv_inverted(x))).chunk(2, dim=1)
        made: Tensor = x + self.norm(self.conv_point(h * F.silu(gate)))
        return made


class Halved(nn.Module):
    """A grid of half the sides, beside averages of its channels.

    >>> Halved(4, 8, by_channels=True)(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """

    def __init__(self, before: int, width: int, by_channels: bool, past: bool = True) -> None:
        super().__init__()
        self.by_channels, self.past, self.width = by_channels, past, width
        made, stride = (width // 4, 1) if by_channels else (width, 2)
        self.conv = nn.Conv2d(before, made, 3, stride=stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(x)
        if self.by_channels:
            made = F.pixel_unshuffle(made, 2)
        if not self.past:
            return made
        return made + F.pixel_unshuffle(x, 2).reshape(len(x), self.width, -1, *made.shape[2:]).mean(dim=2)


class Doubled(nn.Module):
    """A grid of twice the sides, beside copies of its channels.

    >>> Doubled(8, 4, by_channels=True)(torch.zeros(1, 8, 3, 3)).shape
    torch.Size([1, 4, 6, 6])
    """

    def __init__(self, before: int, width: int, by_channels: bool, past: bool = True) -> None:
        super().__init__()
        self.by_channels, self.past = by_channels, past
        self.copies = 4 * width // before
        self.conv = nn.Conv2d(before, 4 * width if by_channels else width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = (
            F.pixel_shuffle(self.conv(x), 2) if self.by_channels else self.conv(F.interpolate(x, scale_factor=2.0))
        )
        return made + F.pixel_shuffle(x.repeat_interleave(self.copies, dim=1), 2) if self.past else made
