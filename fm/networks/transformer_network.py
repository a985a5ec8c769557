"""A diffusion transformer (Peebles & Xie 2022, arXiv 2212.09748, adaLN-zero) on patches along any number of axes."""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fm.conditions import Condition, Spec
from fm.networks.conditioned import Conditioned
from fm.networks.grids import depth_to_space, grid_of, rotary_angles, sides_of, sine_cosine_positions, space_to_depth
from fm.networks.layers import AlongFirst, Attention, Skip, Tokens, Turns, dropped_out, for_slices, zero_init
from fm.networks.transformer import TransformerOptions


class Transformer(Conditioned):
    """network(x, t, condition, until=None) -> tensor like x.

    Args:
        options: sizes.
        shape: (C, *spatial) of the data; every side a multiple of patch_size.
        fields: what the condition consists of.
        until: whether the network is told a second time.

    Raises:
        ValueError: sizes that do not fit together.

    >>> import torch
    >>> Transformer(TransformerOptions(width=16), (1, 8, 8), {})(torch.zeros(2, 1, 8, 8), torch.zeros(2), {}).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self, options: TransformerOptions, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False
    ) -> None:
        width, patch = options.width, prod(sides_of(options.patch_size, len(shape) - 1))
        super().__init__(width, fields, until, options.time_frequency)
        self.patch_size = options.patch_size
        self.grid = grid_of(shape, options.patch_size)
        if options.factorised and len(self.grid) < 2:
            raise ValueError(f"factorised attention is for data along 2 axes or more, not of shape {tuple(shape)}")
        self.factorised = options.factorised
        seen, slices, padding = self.grid, 1, options.padding  # what one attention is among
        if options.factorised:
            slices, seen, padding = self.grid[0], self.grid[1:], "zeros" if padding == "zeros" else "circular"
        self.first = nn.Linear((shape[0] + self.map_channels) * patch, width)
        self.positions: Tensor
        positions = sine_cosine_positions(seen, width, padding)
        self.register_buffer("positions", positions.repeat(slices, 1) if slices > 1 else positions, persistent=False)
        self.cosines: Tensor | None
        self.sines: Tensor | None
        angles = rotary_angles(seen, width // options.heads, padding) if options.rotary else None
        for name, of in (("cosines", torch.cos), ("sines", torch.sin)):  # lower precisions would round angles by much
            numbers = None if angles is None else of(angles).to(torch.get_default_device())
            self.register_buffer(name, numbers, persistent=False)
        if options.joint and self.token_width is None:
            raise ValueError("joint attention is for conditions that have a sequence, and this one has none")
        self.blocks = nn.ModuleList(
            JointBlock(width, options.heads, options.dropout, options.qk_norm)
            if options.joint and number < options.blocks - 1  # what the last made of the tokens, nobody would look at
            else Block(width, options.heads, self.token_width, options.dropout, options.qk_norm)
            for number in range(options.blocks)
        )
        self.along = (
            None
            if not options.factorised
            else nn.ModuleList(
                AlongFirst(width, options.heads, self.grid[0], options.qk_norm, options.padding)
                for _ in range(options.blocks)
            )
        )
        self.last_norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.last_modulation = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, shape[0] * patch)
        self.skip = Skip(width, shape[0]) if options.skip else None
        self._initialise()

    def _initialise(self) -> None:
        """As in the paper, but for time and label, whose embeddings it draws from N(0, 0.02^2): so near to zero
        they take tens of thousands of steps to matter, which small budgets do not have."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Block):
                zero_init(module.modulation)
            if isinstance(module, AlongFirst):
                zero_init(module.mix)
        zero_init(self.last_modulation)
        zero_init(self.last)
        if self.skip is not None:
            zero_init(self.skip.scale)

    def forward(self, x: Tensor, t: Tensor, condition: Condition, until: Tensor | None = None) -> Tensor:
        """x (B, C, *spatial) float; t (B,) float; until (B,), for networks that are told it."""
        embedding, tokens = self.embedded(t, condition, until)
        seen = space_to_depth(self.with_maps(x, condition), self.patch_size)
        h = self.first(seen.reshape(*seen.shape[:2], -1).transpose(1, 2))
        if self.cosines is None:
            h = h + self.positions.to(x.dtype)
        h = self.through_all(h, embedding, tokens) if self.along is None else self.by_slices(h, embedding, tokens)
        shift, scale = self.last_modulation(embedding)[:, None].chunk(2, dim=-1)
        patches = self.last(self.last_norm(h) * (1 + scale) + shift)
        said = depth_to_space(patches.transpose(1, 2).reshape(len(x), -1, *self.grid), self.patch_size)
        return said if self.skip is None else said + self.skip(x, embedding)

    def by_slices(self, h: Tensor, embedding: Tensor, tokens: Tokens | None) -> Tensor:
        """h (B, patches, width) -> like h, with every slice of the first axis as a datum of its own, all under the
        same."""
        slices, whole = self.grid[0], h.shape
        h = h.reshape(len(h) * slices, -1, h.shape[2])
        h = self.through_all(h, embedding.repeat_interleave(slices, dim=0), for_slices(tokens, slices))
        return h.reshape(whole)

    def through_all(self, h: Tensor, embedding: Tensor, tokens: Tokens | None) -> Tensor:
        """h (B, patches, width), or (B * slices, patches of a slice, width), through all blocks."""
        turns = None if self.cosines is None or self.sines is None else Turns(self.cosines, self.sines)
        for number, block in enumerate(self.blocks):
            if isinstance(block, JointBlock):
                h, tokens = self.through(block, h, embedding, tokens, turns)
            else:
                h = self.through(block, h, embedding, tokens, turns)
            if self.along is not None:
                by_datum = h.reshape(-1, self.grid[0], *h.shape[1:])
                h = self.through(self.along[number], by_datum).flatten(0, 1)
        return h


class Block(Attention):
    """Attention and a perceptron, each shifted, scaled and gated by time and condition; the gates start at zero.

    >>> import torch
    >>> Block(16, heads=2)(torch.zeros(3, 5, 16), torch.zeros(3, 16)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        token_width: int | None = None,
        dropout: float = 0.0,
        qk_norm: bool = False,
    ) -> None:
        super().__init__(width, heads, token_width, qk_norm)
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.dropout = dropout

    def forward(self, h: Tensor, embedding: Tensor, tokens: Tokens | None = None, turns: Turns | None = None) -> Tensor:
        """h (B, patches, width); embedding (B, width)."""
        changes = self.changes(embedding)
        return self.after(h, self.attend(self.before(h, changes), tokens, turns), changes)

    def changes(self, embedding: Tensor) -> tuple[Tensor, ...]:
        """A shift, a scale and a gate of attention, and of the perceptron, each (B, 1, width)."""
        parts: tuple[Tensor, ...] = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        return parts

    def before(self, h: Tensor, changes: tuple[Tensor, ...]) -> Tensor:
        """What attention sees of h."""
        shift1, scale1, *_ = changes
        seen: Tensor = self.norm1(h) * (1 + scale1) + shift1
        return seen

    def after(self, h: Tensor, attended: Tensor, changes: tuple[Tensor, ...]) -> Tensor:
        """h with what attention has made, and with what the perceptron makes of both."""
        _, _, gate1, shift2, scale2, gate2 = changes
        h = h + gate1 * dropped_out(attended, self, self.dropout)
        wide = F.gelu(self.widen(self.norm2(h) * (1 + scale2) + shift2), approximate="tanh")
        out: Tensor = h + gate2 * dropped_out(self.narrow(wide), self, self.dropout)
        return out


class JointBlock(nn.Module):
    """A block of two streams, patches and the tokens of the condition: each has weights of its own, and both meet in
    one attention (Esser et al. 2024, arXiv 2403.03206, figure 2b).

    >>> import torch
    >>> tokens = Tokens(torch.zeros(3, 4, 16), torch.ones(3, 4, dtype=torch.bool))
    >>> h, tokens = JointBlock(16, heads=2)(torch.zeros(3, 5, 16), torch.zeros(3, 16), tokens)
    >>> h.shape, tokens.values.shape
    (torch.Size([3, 5, 16]), torch.Size([3, 4, 16]))
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, qk_norm: bool = False) -> None:
        super().__init__()
        self.patches = Block(width, heads, None, dropout, qk_norm)
        self.tokens = Block(width, heads, None, dropout, qk_norm)

    def forward(
        self, h: Tensor, embedding: Tensor, tokens: Tokens, turns: Turns | None = None
    ) -> tuple[Tensor, Tokens]:
        """h (B, patches, width); embedding (B, width)."""
        mine, its = self.patches.changes(embedding), self.tokens.changes(embedding)
        of_patches = self.patches.by_head(self.patches.before(h, mine), turns)
        of_tokens = self.tokens.by_head(self.tokens.before(tokens.values, its))
        queries, keys, values = (torch.cat(both, dim=2) for both in zip(of_patches, of_tokens, strict=True))
        seen = F.pad(tokens.there, (h.shape[1], 0), value=True)[:, None, None]
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen).transpose(1, 2).flatten(2)
        patches, words = attended[:, : h.shape[1]], attended[:, h.shape[1] :]
        h = self.patches.after(h, self.patches.mix(patches), mine)
        changed = self.tokens.after(tokens.values, self.tokens.mix(words), its)
        return h, Tokens(changed, tokens.there)
