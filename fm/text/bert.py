"""BERT's encoder (Devlin et al. 2018, arXiv 1810.04805), its layers called as transformers calls them, so that weights
fit by their names."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Sizes:
    """Of a BERT, called as in its config.json.

    >>> Sizes(100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32).type_vocab_size
    2
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12


class Bert(nn.Module):
    """network(tokens, there) -> a vector for each token.

    Attributes:
        sizes: what it was made of.

    >>> sizes = Sizes(100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    >>> Bert(sizes)(torch.zeros(3, 5, dtype=torch.int64), torch.ones(3, 5, dtype=torch.bool)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.hidden_size
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(sizes.vocab_size, width),
                "position_embeddings": nn.Embedding(sizes.max_position_embeddings, width),
                "token_type_embeddings": nn.Embedding(sizes.type_vocab_size, width),
                "LayerNorm": nn.LayerNorm(width, sizes.layer_norm_eps),
            }
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer(sizes) for _ in range(sizes.num_hidden_layers))})

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """tokens int64 (B, L), there bool (B, L) -> float (B, L, width)."""
        parts = self.embeddings
        places = torch.arange(tokens.shape[1], device=tokens.device)
        first_text = parts["token_type_embeddings"](torch.zeros_like(places))
        h: Tensor = parts["word_embeddings"](tokens) + parts["position_embeddings"](places) + first_text
        h = parts["LayerNorm"](h)
        for layer in self.encoder["layer"].children():
            h = layer(h, there)
        return h


class Layer(nn.Module):
    """Attention and a perceptron.

    >>> layer = Layer(Sizes(100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32))
    >>> layer(torch.zeros(3, 5, 16), torch.ones(3, 5, dtype=torch.bool)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, wide, self.heads = sizes.hidden_size, sizes.intermediate_size, sizes.num_attention_heads
        looks = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
        self.attention = nn.ModuleDict({"self": looks, "output": Added(width, width, sizes.layer_norm_eps)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, wide)})
        self.output = Added(wide, width, sizes.layer_norm_eps)

    def forward(self, h: Tensor, there: Tensor) -> Tensor:
        """h (B, L, width), there bool (B, L)."""
        queries, keys, values = (
            look(h).unflatten(2, (self.heads, -1)).transpose(1, 2) for look in self.attention["self"].children()
        )
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=there[:, None, None])
        h = self.attention["output"](attended.transpose(1, 2).flatten(2), h)
        out: Tensor = self.output(F.gelu(self.intermediate["dense"](h)), h)
        return out


class Added(nn.Module):
    """What a part of a layer has made, added to what it was given; the sum is normalised.

    >>> Added(32, 16, 1e-12)(torch.zeros(3, 5, 32), torch.zeros(3, 5, 16)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(self, inputs: int, width: int, eps: float) -> None:
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(inputs, width), nn.LayerNorm(width, eps)

    def forward(self, made: Tensor, h: Tensor) -> Tensor:
        out: Tensor = self.LayerNorm(self.dense(made) + h)
        return out
