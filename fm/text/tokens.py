"""From texts to the numbers of their tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from fm.text.encoder import Encoded

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

AT_ONCE = 64
"""How many texts are encoded at a time."""


class Tokens(NamedTuple):
    """Texts in the numbers of their tokens.

    Attributes:
        numbers: int64 (B, longest), 0 behind a text's last.
        there: bool (B, longest).

    >>> Tokens(torch.tensor([[5, 7], [5, 0]]), torch.tensor([[True, True], [True, False]])).there.sum(dim=1)
    tensor([2, 1])
    """

    numbers: Tensor
    there: Tensor

    @classmethod
    def of(cls, found: Sequence[Encoding]) -> Self:
        numbers = torch.zeros(len(found), max(len(one.ids) for one in found), dtype=torch.int64)
        there = torch.zeros_like(numbers, dtype=torch.bool)
        for row, one in enumerate(found):
            numbers[row, : len(one.ids)] = torch.tensor(one.ids)
            there[row, : len(one.ids)] = True
        return cls(numbers, there)


def read(tokenizer: Tokenizer, texts: Sequence[str], length: int) -> list[Encoding]:
    """Texts cut at `length` tokens, those that every text begins and ends with among them."""
    tokenizer.enable_truncation(length)
    tokenizer.no_padding()
    found: list[Encoding] = tokenizer.encode_batch(list(texts))
    return found


@torch.no_grad()
def encoded(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    network: Callable[[Tensor, Tensor], Tensor],
    width: int,
    length: int,
    device: torch.device | str,
) -> Encoded:
    """Some at a time, those of one length together: a network is busy with tokens, not with what stands in for them.

    Args:
        network: tokens int64 (B, longest) and which are there, bool (B, longest) -> float (B, longest, width).
    """
    found = read(tokenizer, texts, length)
    values = torch.zeros(len(texts), length, width, device=device)
    there = torch.zeros(len(texts), length, dtype=torch.bool, device=device)
    by_length = sorted(range(len(texts)), key=lambda row: len(found[row].ids))
    for start in range(0, len(texts), AT_ONCE):
        rows = by_length[start : start + AT_ONCE]
        tokens = Tokens.of([found[row] for row in rows])
        mask = tokens.there.to(device)
        made = network(tokens.numbers.to(device), mask).float().masked_fill(~mask[:, :, None], 0.0)
        missing = length - made.shape[1]
        values[rows] = F.pad(made, (0, 0, 0, missing))
        there[rows] = F.pad(mask, (0, missing))
    return Encoded(values, there, sum(bool(one.overflowing) for one in found))
