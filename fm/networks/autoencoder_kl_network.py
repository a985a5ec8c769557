"""diffusers' AutoencoderKL: residual convolutions at ever coarser grids, and back. Modules are called as there, so that
weights fit by their names."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from fm.networks.autoencoder_kl import AutoencoderKL
from fm.networks.autoencoder_network import AutoencoderNetwork
from fm.networks.diffusers_unet_network import Doubled, GridAttention, Halved

EPS = 1e-6
"""Added to the variance in norms."""
LOG_VARIANCES = -30.0, 20.0
"""What they are kept within."""


class AutoencoderKLNetwork(AutoencoderNetwork):
    """Answers as AutoencoderKL does of the same weights.

    >>> import torch
    >>> options = AutoencoderKL(in_channels=1, block_out_channels=(8, 16), norm_num_groups=4)
    >>> AutoencoderKLNetwork(options)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, options: AutoencoderKL) -> None:
        super().__init__()
        latents = options.latent_channels
        self.encoder = Encoder(options)
        self.decoder = Decoder(options)
        self.quant_conv = nn.Conv2d(2 * latents, 2 * latents, 1) if options.use_quant_conv else None
        self.post_quant_conv = nn.Conv2d(latents, latents, 1) if options.use_post_quant_conv else None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        moments = self.encoder(x)
        if self.quant_conv is not None:
            moments = self.quant_conv(moments)
        mean, log_variance = moments.chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCES)

    def decode(self, z: Tensor) -> Tensor:
        made: Tensor = self.decoder(z if self.post_quant_conv is None else self.post_quant_conv(z))
        return made


class Encoder(nn.Module):
    """Pictures (B, C, H, W) to mean and log-variance of latents (B, 2c, h, w).

    >>> import torch
    >>> options = AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4)
    >>> Encoder(options)(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, options: AutoencoderKL) -> None:
        super().__init__()
        widths, groups = options.block_out_channels, options.norm_num_groups
        levels: list[nn.Module] = []
        for number, (before, width) in enumerate(pairwise((widths[0], *widths))):
            inputs = [before] + [width] * (options.layers_per_block - 1)
            to_next = None if number == len(widths) - 1 else Halved(width, padding=0)
            levels.append(Level(inputs, width, groups, len(inputs) * options.downs[number], down=to_next))
        self.conv_in = nn.Conv2d(options.in_channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(levels)
        self.mid_block = Level([widths[-1]] * 2, widths[-1], groups, options.mid_block_add_attention)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], 2 * options.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(x)
        for level in self.down_blocks:
            h = level(h)
        made: Tensor = self.conv_out(F.silu(self.conv_norm_out(self.mid_block(h))))
        return made


class Decoder(nn.Module):
    """Latents (B, c, h, w) to pictures (B, C, H, W).

    >>> import torch
    >>> options = AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4)
    >>> Decoder(options)(torch.zeros(1, 4, 4, 4)).shape
    torch.Size([1, 3, 8, 8])
    """

    def __init__(self, options: AutoencoderKL) -> None:
        super().__init__()
        widths, groups = options.block_out_channels[::-1], options.norm_num_groups
        levels: list[nn.Module] = []
        for number, (before, width) in enumerate(pairwise((widths[0], *widths))):
            inputs = [before] + [width] * options.layers_per_block
            to_next = None if number == len(widths) - 1 else Doubled(width)
            levels.append(Level(inputs, width, groups, len(inputs) * options.ups[number], up=to_next))
        self.conv_in = nn.Conv2d(options.latent_channels, widths[0], 3, padding=1)
        self.mid_block = Level([widths[0]] * 2, widths[0], groups, options.mid_block_add_attention)
        self.up_blocks = nn.ModuleList(levels)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], options.in_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.mid_block(self.conv_in(z))
        for level in self.up_blocks:
            h = level(h)
        made: Tensor = self.conv_out(F.silu(self.conv_norm_out(h)))
        return made


class Level(nn.Module):
    """Blocks on one grid, the first of them with attention behind them, and the way to the next grid.

    Args:
        inputs: channels that each block is given.
        attentions: how many blocks have one behind them.

    >>> import torch
    >>> Level([8, 16], 16, groups=4, attentions=1, up=Doubled(16))(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 16, 8, 8])
    """

    def __init__(
        self,
        inputs: list[int],
        width: int,
        groups: int,
        attentions: int = 0,
        down: nn.Module | None = None,
        up: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Residual(one, width, groups) for one in inputs)
        self.attentions = nn.ModuleList(
            GridAttention(width, heads=1, groups=groups, eps=EPS, scale=1.0) for _ in range(attentions)
        )
        self.downsamplers = None if down is None else nn.ModuleList([down])
        self.upsamplers = None if up is None else nn.ModuleList([up])

    def forward(self, h: Tensor) -> Tensor:
        for index, block in enumerate(self.resnets):
            h = block(h)
            if index < len(self.attentions):
                h = self.attentions[index](h)
        for to_next in (*(self.downsamplers or ()), *(self.upsamplers or ())):
            h = to_next(h)
        return h


class Residual(nn.Module):
    """Two convolutions beside a way past them.

    >>> import torch
    >>> Residual(8, 16, groups=4)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 16, 4, 4])
    """

    def __init__(self, before: int, width: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, before, EPS)
        self.conv1 = nn.Conv2d(before, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, width, EPS)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(before, width, 1) if before != width else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        made: Tensor = h + (x if self.conv_shortcut is None else self.conv_shortcut(x))
        return made
