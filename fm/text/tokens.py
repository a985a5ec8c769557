"""From texts to the numbers of their tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from fm.text.encoder import Encoded

if TYPE_CHECKING:
    from tokenizers import Tokenizer

AT_ONCE = 64
"""How many texts are encoded at a time."""


class Tokens(NamedTuple):
    """Texts in the numbers of their tokens.

    Attributes:
        numbers: int64 (B, longest), 0 behind a text's last.
        there: bool (B, longest).
        cut: how many of the texts were longer than was allowed.

    >>> Tokens(torch.tensor([[5, 7], [5, 0]]), torch.tensor([[True, True], [True, False]]), cut=0).there.sum(dim=1)
    tensor([2, 1])
    """

    numbers: Tensor
    there: Tensor
    cut: int


def tokens_of(tokenizer: Tokenizer, texts: Sequence[str], length: int) -> Tokens:
    """Texts cut at `length` tokens, those that every text begins and ends with among them."""
    tokenizer.enable_truncation(length)
    tokenizer.no_padding()
    found = tokenizer.encode_batch(list(texts))
    numbers = torch.zeros(len(found), max(len(one.ids) for one in found), dtype=torch.int64)
    there = torch.zeros_like(numbers, dtype=torch.bool)
    for row, one in enumerate(found):
        numbers[row, : len(one.ids)] = torch.tensor(one.ids)
        there[row, : len(one.ids)] = True
    return Tokens(numbers, there, sum(bool(one.overflowing) for one in found))


@torch.no_grad()
def encoded(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    network: Callable[[Tensor, Tensor], Tensor],
    width: int,
    length: int,
    device: torch.device | str,
) -> Encoded:
    """Some at a time.

    Args:
        network: tokens int64 (B, longest) and which are there, bool (B, longest) -> float (B, longest, width).
    """
    values = torch.zeros(len(texts), length, width, device=device)
    there = torch.zeros(len(texts), length, dtype=torch.bool, device=device)
    cut = 0
    for start in range(0, len(texts), AT_ONCE):
        tokens = tokens_of(tokenizer, texts[start : start + AT_ONCE], length)
        mask = tokens.there.to(device)
        made = network(tokens.numbers.to(device), mask).float().masked_fill(~mask[:, :, None], 0.0)
        missing = length - made.shape[1]
        values[start : start + AT_ONCE] = F.pad(made, (0, 0, 0, missing))
        there[start : start + AT_ONCE] = F.pad(mask, (0, missing))
        cut += tokens.cut
    return Encoded(values, there, cut)
