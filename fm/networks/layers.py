"""What the networks have in common."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.networks.grids import rotary_angles
from fm.networks.network import Padding

Layer = TypeVar("Layer", bound=nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear)
Built = TypeVar("Built", bound=nn.Module)
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # there is none of fewer axes


class TimeEmbedding(nn.Module):
    """Sinusoidal features of t (Vaswani et al. 2017), through a two-layer perceptron.

    Args:
        width: numbers that come out.
        fastest: the highest frequency, in radians per unit of t; the lowest is a ten-thousandth of it.

    >>> TimeEmbedding(16, fastest=1000.0)(torch.rand(3)).shape
    torch.Size([3, 16])
    """

    def __init__(self, width: int, fastest: float, features: int = 64) -> None:
        super().__init__()
        # t lies in [0, 1]: periods from 1/1000 of that interval to ten times it, as DDPM's over 1000 steps.
        with torch.device("cpu"):  # on `meta`, where networks have sizes alone, arithmetic takes a second of imports
            frequencies = fastest * torch.exp(-math.log(10_000.0) * torch.arange(features // 2) / (features // 2))
        self.frequencies: Tensor
        self.register_buffer("frequencies", frequencies.to(torch.get_default_device()), persistent=False)
        self.first, self.second = nn.Linear(features, width), nn.Linear(width, width)

    def forward(self, t: Tensor) -> Tensor:
        """t (B,) -> (B, width)."""
        angles = t[:, None].float() * self.frequencies
        features = torch.cat([angles.cos(), angles.sin()], dim=1)
        out: Tensor = self.second(F.silu(self.first(features.to(self.first.weight.dtype))))
        return out


class Tokens(NamedTuple):
    """What attention may look at besides the grid itself: values (B, tokens, width), and bool (B, tokens), true where
    there is a token.

    >>> Tokens(torch.zeros(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)).values.shape
    torch.Size([2, 5, 8])
    """

    values: Tensor
    there: Tensor


def for_slices(tokens: Tokens | None, count: int) -> Tokens | None:
    """The same tokens for each of the slices of every datum, (B * count, tokens, width).

    >>> for_slices(Tokens(torch.zeros(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)), 3).values.shape
    torch.Size([6, 5, 8])
    """
    if tokens is None:
        return None
    return Tokens(*(one.repeat_interleave(count, dim=0) for one in tokens))


class Turns(NamedTuple):
    """By how much each pair of a head's numbers is turned at each point of a grid: cosines and sines (points, pairs).

    >>> Turns(torch.ones(5, 2), torch.zeros(5, 2)).cosines.shape
    torch.Size([5, 2])
    """

    cosines: Tensor
    sines: Tensor


def turned(h: Tensor, turns: Turns) -> Tensor:
    """h (B, heads, points, width) with the first numbers of each point turned in pairs, and those left over as they
    were: rotary positions (Su et al. 2021, arXiv 2104.09864), by which a query and a key meet as their distance has
    it."""
    pairs = turns.cosines.shape[1]
    a, b, rest = h[..., :pairs], h[..., pairs : 2 * pairs], h[..., 2 * pairs :]
    cosines, sines = turns.cosines.to(h.dtype), turns.sines.to(h.dtype)
    return torch.cat([a * cosines - b * sines, a * sines + b * cosines, rest], dim=3)


class Attention(nn.Module):
    """Every token of a grid looks at all of them, and at the tokens of the condition (self- and cross-attention in one
    softmax, as Saharia et al. 2022, arXiv 2205.11487, appendix B). So a condition without any token is none.

    Args:
        width: numbers that describe a token, a multiple of heads.
        heads: attention heads.
        token_width: numbers that describe a token of the condition; none where it has no tokens.
        qk_norm: whether queries and keys are normalised head by head before they meet, so that no product of the two
            grows without bound (Esser et al. 2024, arXiv 2403.03206, section 5.3.2).

    >>> Attention(8, heads=2).attend(torch.randn(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, width: int, heads: int, token_width: int | None = None, qk_norm: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.keys_values = None if token_width is None else nn.Linear(token_width, 2 * width)

        def norm(there: bool) -> nn.Module:
            return nn.RMSNorm(width // heads, eps=1e-6) if there and qk_norm else nn.Identity()

        self.query_norm, self.key_norm, self.token_key_norm = norm(True), norm(True), norm(token_width is not None)

    def attend(self, h: Tensor, tokens: Tokens | None = None, turns: Turns | None = None) -> Tensor:
        """h (B, grid, width) -> like h."""
        queries, keys, values = self.by_head(h, turns)
        seen = None
        if self.keys_values is not None and tokens is not None:
            more_keys, more_values = self._by_head(self.keys_values(tokens.values), 2)
            more_keys = self.token_key_norm(more_keys)
            keys, values = torch.cat([keys, more_keys], dim=2), torch.cat([values, more_values], dim=2)
            seen = F.pad(tokens.there, (h.shape[1], 0), value=True)[:, None, None]
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
        mixed: Tensor = self.mix(attended.transpose(1, 2).flatten(2))
        return mixed

    def by_head(self, h: Tensor, turns: Turns | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of h (B, grid, width), each (B, heads, grid, width / heads)."""
        queries, keys, values = self._by_head(self.queries_keys_values(h), 3)
        queries, keys = self.query_norm(queries), self.key_norm(keys)
        if turns is not None:
            queries, keys = turned(queries, turns), turned(keys, turns)
        return queries, keys, values

    def _by_head(self, h: Tensor, count: int) -> Tensor:
        """(B, tokens, count * width) -> (count, B, heads, tokens, width / heads)."""
        return h.reshape(*h.shape[:2], count, self.heads, -1).permute(2, 0, 3, 1, 4)


class Skip(nn.Module):
    """What is put in, times a number for every channel that is learnt for each time, and nothing at first.

    To say velocity or noise is to say every number of the noise there is. Where a patch holds more numbers than the
    network has channels, they do not all pass it, and what does not stays in what is made; beside the network they do,
    as in EDM's preconditioning (Karras et al. 2022, arXiv 2206.00364, eq. 7), where the number is known.

    >>> Skip(embedding=8, channels=3)(torch.ones(2, 3, 4, 4), torch.zeros(2, 8)).shape
    torch.Size([2, 3, 4, 4])
    """

    def __init__(self, embedding: int, channels: int) -> None:
        super().__init__()
        self.scale = zero_init(nn.Linear(embedding, channels))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x (B, C, *spatial); embedding (B, embedding)."""
        scale: Tensor = self.scale(embedding)
        return x * scale.reshape(*scale.shape, *[1] * (x.ndim - 2))


class AlongFirst(Attention):
    """Attention along the first of several axes alone, time of videos, at every point of the others; added to what is
    there, and nothing at first. Points are told apart by rotary positions.

    Args:
        length: of the first axis.
        padding: what lies beyond its ends: of a circle every point is the first as much as any other.

    >>> AlongFirst(8, heads=2, length=5)(torch.zeros(3, 5, 4, 8)).shape
    torch.Size([3, 5, 4, 8])
    """

    def __init__(self, width: int, heads: int, length: int, qk_norm: bool = False, padding: Padding = "zeros") -> None:
        super().__init__(width, heads, qk_norm=qk_norm)
        self.norm = nn.LayerNorm(width)
        angles = rotary_angles((length,), width // heads, padding)
        self.cosines: Tensor
        self.sines: Tensor
        for name, of in (("cosines", torch.cos), ("sines", torch.sin)):
            self.register_buffer(name, of(angles).to(torch.get_default_device()), persistent=False)
        zero_init(self.mix)

    def forward(self, h: Tensor) -> Tensor:
        """h (B, length, points of the other axes, width) -> like h."""
        lines = self.norm(h.transpose(1, 2).flatten(0, 1))
        attended = self.attend(lines, turns=Turns(self.cosines, self.sines))
        return h + attended.reshape(len(h), -1, *attended.shape[1:]).transpose(1, 2)


def zero_init(layer: Layer) -> Layer:
    """A block that starts as the identity, a network that starts at zero (Ho et al. 2020)."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def dropped_out(h: Tensor, layer: nn.Module, rate: float) -> Tensor:
    """h without a share `rate` of its numbers, while `layer` trains. Without dropout no random number is drawn."""
    return F.dropout(h, rate, layer.training) if rate else h


@contextmanager
def without_dropout(network: nn.Module) -> Iterator[bool]:
    """Nothing is left out meanwhile; true if something was.

    >>> network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    >>> with without_dropout(network) as otherwise:
    ...     otherwise, network.training
    (True, False)
    """
    rates = [getattr(layer, "p" if isinstance(layer, nn.Dropout) else "dropout", 0.0) for layer in network.modules()]
    otherwise = network.training and any(isinstance(rate, float) and rate > 0 for rate in rates)
    if otherwise:
        network.eval()
    try:
        yield otherwise
    finally:
        if otherwise:
            network.train()


def in_channels_last(network: Built) -> Built:
    """The same network, its convolutions' weights in the memory format that is a third faster on CPUs."""
    for weight in network.parameters():
        if weight.ndim in CHANNELS_LAST:
            weight.data = weight.data.to(memory_format=CHANNELS_LAST[weight.ndim])
    return network
