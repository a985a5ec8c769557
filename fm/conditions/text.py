"""Texts as conditions."""

from __future__ import annotations

import base64
import warnings
from collections import abc
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.components import option
from fm.conditions.conditioner import Condition, Conditioner, Sequence, Spec
from fm.errors import shown
from fm.lazy import torch
from fm.prompts import prompt
from fm.text.encoder import Encoder
from fm.text.finding import require_same

if TYPE_CHECKING:
    from torch import Tensor


class Text(Conditioner, name="text", says="a text, read by a frozen encoder"):
    """Data with a text each, as its encoder's tokens. "No condition" is the empty text.

    The encoder is asked for texts alone, and only then looked for: to train on what it has made of them before, and to
    sample under that, takes no encoder; the examples are texts. It has to be the one that it was: its files are held
    against `sums`.

    >>> from fm.text import MiniLM
    >>> text = Text(MiniLM(length=16), width=384, empty=base64.b64encode(np.zeros((2, 384), "<f2")).decode())
    >>> text.fields
    {'text': Sequence(width=384, length=16)}
    >>> text.read([None, ""])["text_mask"].sum(dim=1)
    tensor([2, 2])
    """

    encoder: Encoder = option(says="what reads it")
    width: int = option(least=1, most=65_536, says="numbers that the encoder describes a token by")
    empty: str = option(says="the empty text's tokens, float16 (tokens, width) in base64")
    sums: tuple[str, ...] = option((), says="the encoder's files, each as sha256sum says it")
    examples: tuple[str, ...] = option((), says="texts that people are shown in turn where nobody asks for anything")

    @classmethod
    def by(cls, encoder: Encoder, examples: tuple[str, ...] = ()) -> Self:
        """Read by this encoder as it is here. Raises EncoderError: it is not to be had."""
        made = encoder.encode([""])
        tokens = made.values[0][made.there[0]].numpy().astype("<f2")
        return cls(encoder, encoder.width, base64.b64encode(tokens.tobytes()).decode(), encoder.sums, examples)

    def check(self) -> None:
        try:
            tokens = self.empty_tokens
        except ValueError as error:
            what = "must be float16 (tokens, width) in base64"
            raise ValueError(f"empty = {shown(self.empty)}: {what}: {error}") from None
        if len(tokens) > self.encoder.length or not np.isfinite(tokens).all():
            raise ValueError(f"empty: must be at most {self.encoder.length} tokens of finite numbers")
        for example in self.examples:
            try:
                self.text(example)
            except ValueError as error:
                raise ValueError(f"examples: {error}") from None

    @property
    def fields(self) -> Mapping[str, Spec]:
        return {"text": Sequence(self.width, self.encoder.length)}

    @property
    def meaning(self) -> tuple[str, ...]:
        return (*self.sums, self.empty)

    def read(self, asked: abc.Sequence[Any]) -> Condition:
        """Texts; None and the empty one are "no condition". Those with more tokens than the encoder's length are cut,
        with a warning that says how many. Numbers are rounded to float16, as those are that lie beside data.

        Raises:
            ValueError: something else than a text, or one that is too long (fm.prompts).
            EncoderError: the encoder is not to be had, or another.
        """
        from fm.devices import pick

        texts = [self.text(one) for one in asked]
        places = {text: place for place, text in enumerate(dict.fromkeys(["", *texts]))}
        values, there = (one[None] for one in empty_sequence(self, "cpu"))
        if unknown := list(places)[1:]:
            made = self._same_encoder.encode(unknown, pick())
            if made.cut:
                most = self.encoder.length
                warnings.warn(
                    f"{made.cut} of {len(unknown)} texts have more than {most} tokens, and are cut there", stacklevel=2
                )
            values, there = torch.cat([values, made.values.cpu().half().float()]), torch.cat([there, made.there.cpu()])
        rows = torch.tensor([places[text] for text in texts], dtype=torch.int64)
        return {"text": values[rows], "text_mask": there[rows]}

    def null(self, like: Condition) -> Condition:
        values, there = empty_sequence(self, like["text"].device)
        return {
            "text": values.to(like["text"].dtype).expand_as(like["text"]),
            "text_mask": there.expand_as(like["text_mask"]),
        }

    def called(self, asked: Any) -> str:
        return self.text(asked) or "no text"

    def in_turn(self, count: int, first: int = 0) -> list[str | None]:
        """Every example in turn, for data number `first` and those after it; "no condition" where there is none."""
        turns = self.examples or (None,)
        return [turns[index % len(turns)] for index in range(first, first + count)]

    def text(self, asked: Any) -> str:
        """What is asked for, "" where that is nothing. Raises ValueError for what is no text (fm.prompts)."""
        return prompt(asked)

    @cached_property
    def _same_encoder(self) -> Encoder:
        """Raises EncoderError where it is another than it was."""
        require_same(f"text encoder {self.encoder.name}", self.encoder.sums, self.sums)
        return self.encoder

    @property
    def empty_tokens(self) -> NDArray[np.float16]:
        """The empty text's, (tokens, width). Raises ValueError where `empty` is no such thing."""
        return np.frombuffer(base64.b64decode(self.empty, validate=True), "<f2").reshape(-1, self.width)


@lru_cache(maxsize=8)
def empty_sequence(text: Text, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """The empty text as its encoder has it, float32 (length, width), and which of its tokens are there, bool (length,);
    on a device once and for all, since every training step asks for it."""
    tokens = text.empty_tokens
    values = torch.zeros(text.encoder.length, text.width)
    values[: len(tokens)] = torch.from_numpy(tokens.astype(np.float32))
    return values.to(device), (torch.arange(text.encoder.length) < len(tokens)).to(device)
