"""What every network makes of the time and of a condition, whatever its fields."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from fm.conditions import Condition, Label, Map, Sequence, Spec, Vector
from fm.networks.converted import unconverted
from fm.networks.grids import sine_cosine_positions
from fm.networks.layers import TimeEmbedding, Tokens

FASTEST, SMOOTH = 1000.0, 10.0
"""The fastest frequency of times in radians per unit, and of those that are differentiated in: du/dt is part of what
MeanFlow regresses on (Geng et al. 2025, arXiv 2505.13447), and as large as the frequencies. After 800 steps of it one
jump onto eight spots ended 0.41 from them (2-Wasserstein) with 10, 0.65 with 1000; two draws of the spots are 0.31
apart."""


class Conditioned(nn.Module):
    """A network under a condition: network(x, t, condition, until=None) -> tensor like x.

    Time, labels, vectors and the mean of each sequence are added up to one embedding; a sequence's tokens can be looked
    at one by one; maps are seen beside x. The layers of a field are called `embed_<field>`.

    Args:
        width: numbers of the embedding, and of a token.
        fields: what the condition consists of, by name.
        until: whether the network is told a second time.
        time_frequency: the fastest frequency of times; SMOOTH or FASTEST if left out, with a second time or without.

    Attributes:
        recomputed: whether what lies inside a block is computed again for the gradient, and not kept until then.

    >>> from fm.conditions import Label
    >>> embedding, tokens = Conditioned(8, {"label": Label(10)}, until=False).embedded(
    ...     torch.rand(2), {"label": torch.tensor([3, 10])}, until=None
    ... )
    >>> embedding.shape, tokens
    (torch.Size([2, 8]), None)
    """

    recomputed = False

    def __init__(
        self, width: int, fields: Mapping[str, Spec], until: bool, time_frequency: float | None = None
    ) -> None:
        super().__init__()
        self.fields = dict(fields)
        fastest = time_frequency or (SMOOTH if until else FASTEST)
        self.embed_time = TimeEmbedding(width, fastest)
        self.embed_until = TimeEmbedding(width, fastest) if until else None
        for name, field in self.fields.items():
            if name in ("time", "until"):
                raise ValueError(f"a condition's field cannot be called {name}: a network is told that anyway")
            if not isinstance(field, Map):
                self.add_module(f"embed_{name}", embedding_of(field, width))
        self.map_channels = sum(field.channels for field in self.fields.values() if isinstance(field, Map))
        self.token_width = width if any(isinstance(field, Sequence) for field in self.fields.values()) else None

    def with_maps(self, x: Tensor, condition: Condition) -> Tensor:
        """x (B, C, *spatial) -> (B, C + map_channels, *spatial)."""
        maps = [self._value(condition, name).to(x) for name, field in self.fields.items() if isinstance(field, Map)]
        return torch.cat([x, *maps], dim=1) if maps else x

    def embedded(self, t: Tensor, condition: Condition, until: Tensor | None) -> tuple[Tensor, Tokens | None]:
        """The embedding (B, width) of t (B,), of the time left until `until` (B,) and of the condition; and the
        condition's tokens, if it has any.

        Raises:
            ValueError: a field is missing, or the network was not built to be told `until`.
        """
        h: Tensor = self.embed_time(t)
        if self.embed_until is not None:
            h = h + self.embed_until(torch.zeros_like(t) if until is None else until - t)
        elif until is not None:
            raise ValueError("this network was not built to be told a second time")
        sequences = []
        for name, field in self.fields.items():
            embed = None if isinstance(field, Map) else self.get_submodule(f"embed_{name}")
            match embed:
                case nn.Embedding():
                    h = h + embed(self._value(condition, name))
                case nn.Linear():
                    h = h + embed(self._value(condition, name).to(h.dtype))
                case TokenEmbedding():
                    tokens = embed(self._value(condition, name).to(h.dtype), self._value(condition, f"{name}_mask"))
                    h = h + mean(tokens)
                    sequences.append(tokens)
        return F.silu(h), together(sequences) if sequences else None

    def through(self, block: nn.Module, *inputs: Any) -> Any:
        """What a block makes of its inputs; all blocks of a network are called by this."""
        if self.recomputed and torch.is_grad_enabled():  # Chen et al. 2016, arXiv 1604.06174
            return checkpoint(block, *inputs, use_reentrant=False)
        return block(*inputs)

    def _value(self, condition: Condition, name: str) -> Tensor:
        if name not in condition:
            raise ValueError(f"the condition has no {name}: this network asks for {', '.join(self.fields)}")
        return condition[name]


def recompute(network: nn.Module, yes: bool = True) -> None:
    """Let a network compute again, for the gradient, what lies inside its blocks, or keep it.

    Raises:
        ValueError: it is none of `Conditioned`.
    """
    network = unconverted(network)
    if isinstance(network, Conditioned):
        network.recomputed = yes
    elif yes:
        raise ValueError(
            f"{type(network).__name__} has no blocks that can be computed again for the gradient: "
            "fm.networks.conditioned.Conditioned says how to call them"
        )


class TokenEmbedding(nn.Module):
    """Each token of a sequence by itself, and its place.

    >>> words, there = torch.randn(2, 5, 3), torch.ones(2, 5, dtype=torch.bool)
    >>> TokenEmbedding(Sequence(width=3, length=5), width=8)(words, there).values.shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, field: Sequence, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(field.width, width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.positions: Tensor
        self.register_buffer("positions", sine_cosine_positions((field.length,), width), persistent=False)

    def forward(self, values: Tensor, there: Tensor) -> Tokens:
        """values (B, length, width), there bool (B, length)."""
        values = values.masked_fill(~there[:, :, None], 0.0)
        return Tokens(self.norm(self.linear(values)) + self.positions.to(values.dtype), there)


def embedding_of(field: Label | Vector | Sequence, width: int) -> nn.Module:
    match field:
        case Label(count):
            return nn.Embedding(count + 1, width)
        case Vector(numbers):
            return nn.Linear(numbers, width)
        case Sequence():
            return TokenEmbedding(field, width)


def mean(tokens: Tokens) -> Tensor:
    """Of those that are there, (B, width); zero where there is none."""
    weights = tokens.there[:, :, None].to(tokens.values.dtype)
    return (tokens.values * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def together(sequences: list[Tokens]) -> Tokens:
    """One sequence after the other."""
    return Tokens(*(torch.cat(parts, dim=1) for parts in zip(*sequences, strict=True)))
