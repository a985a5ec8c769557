"""What a datum is under: a condition is a mapping of named tensors, each (B, ...), and empty where there is none.

A conditioner reads what people ask for (names, numbers, sentences) and what lies beside the data on disk into a
condition, says what its fields are, so that a network can be built for them, and knows what "no condition" is.
"""

from __future__ import annotations

import base64
import warnings
from abc import ABC, abstractmethod
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.components import Component, option
from fm.errors import shown
from fm.label_names import label_index
from fm.lazy import torch
from fm.paths import like
from fm.prompts import prompt
from fm.text.encoder import Encoder
from fm.text.finding import require_same

if TYPE_CHECKING:
    from torch import Tensor

Condition = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Label:
    """One of `count` classes: int64 (B,), in which `count` itself means "no label".

    >>> Labels(("cat", "dog")).fields
    {'label': Label(count=2)}
    """

    count: int


@dataclass(frozen=True)
class Vector:
    """Numbers that belong to the whole datum: float (B, width).

    >>> Vector(width=2)
    Vector(width=2)
    """

    width: int


@dataclass(frozen=True)
class Sequence:
    """A sequence to attend to: float (B, length, width), with bool (B, length) under `<name>_mask`, true where there is
    something.

    >>> Sequence(width=64, length=12).length
    12
    """

    width: int
    length: int


@dataclass(frozen=True)
class Map:
    """A tensor over the datum's own grid, to concatenate with it: float (B, channels, *spatial).

    >>> Map(channels=3).channels
    3
    """

    channels: int


Spec = Label | Vector | Sequence | Map
"""What a field of a condition is."""


class Conditioner(Component, ABC, kind="conditioner"):
    """Reads into conditions, and says what their fields are.

    >>> Conditioner.of({"name": "labels", "names": ["cat", "dog"]}).in_turn(3)
    [0, 1, 0]
    """

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Spec]:
        """What a network is told, field by field."""

    @abstractmethod
    def read(self, asked: abc.Sequence[Any]) -> Condition:
        """What people ask for, one entry for each datum, None for "no condition". Raises ValueError in words."""

    @abstractmethod
    def null(self, like: Condition) -> Condition:
        """ "No condition" for as many data, on the same device."""

    @property
    def choices(self) -> tuple[str, ...]:
        """All that can be asked for, where that can be listed; else nothing."""
        return ()

    @property
    def examples(self) -> tuple[str, ...]:
        """What people are shown where nobody asks for anything: all choices, or some of what cannot be listed."""
        return self.choices

    @property
    def asks_nothing(self) -> bool:
        """Whether there is nothing to ask for, so that all data are under "no condition"."""
        return not self.fields

    @property
    def meaning(self) -> tuple[str, ...]:
        """What the numbers of its fields depend on besides what is asked for: an encoder's files. Two that differ in
        this have conditions of other meanings."""
        return ()

    def in_turn(self, count: int, first: int = 0) -> abc.Sequence[Any]:
        """What is asked for where nobody says anything, for data `first` to `first + count - 1`."""
        return [None] * count

    def called(self, asked: Any) -> str:
        """The one name of what can be asked for in several ways. Raises ValueError as `read` does."""
        self.read([asked])
        return str(asked)

    def stored(self, rows: Mapping[str, NDArray[Any]]) -> Condition:
        """The condition of data that lie on disk: the arrays (B, ...) that are called as the fields are."""
        condition = {}
        for name, spec in self.fields.items():
            condition[name] = torch.from_numpy(rows[name].astype(np.int64 if isinstance(spec, Label) else np.float32))
            if isinstance(spec, Sequence):
                condition[f"{name}_mask"] = torch.from_numpy(rows[f"{name}_mask"].astype(np.bool_))
        return condition


class Unconditional(Conditioner, name="none", says="no condition"):
    """Data under no condition.

    >>> Unconditional().read([None, None])
    {}
    """

    @property
    def fields(self) -> Mapping[str, Spec]:
        return {}

    def read(self, asked: abc.Sequence[Any]) -> Condition:
        for one in asked:
            if one is not None:
                raise ValueError(f"{one!r} is asked for, but this model knows no condition")
        return {}

    def null(self, like: Condition) -> Condition:
        return {}


class Labels(Conditioner, name="labels", says="one of several labels"):
    """Data with one label each; the index after the last means "no label".

    >>> Labels(("cat", "dog")).read(["dog", 0, None])
    {'label': tensor([1, 0, 2])}
    """

    names: tuple[str, ...] = option((), says="of the labels, in the order of their indices")

    def check(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"no two label names may be alike: {self.names}")

    @property
    def no_label(self) -> int:
        return len(self.names)

    @property
    def fields(self) -> Mapping[str, Spec]:
        return {"label": Label(len(self.names))}

    def read(self, asked: abc.Sequence[Any]) -> Condition:
        """Names by fm.label_names' rule, indices (the index after the last is "no label"), or None."""
        return {"label": torch.tensor([self.index(one) for one in asked], dtype=torch.int64)}

    def index(self, asked: str | int | None) -> int:
        """Raises ValueError for a label that there is not, with those that there are."""
        if asked is None:
            return self.no_label
        if isinstance(asked, str):
            return label_index(asked, self.names)
        if not 0 <= asked <= self.no_label:
            raise ValueError(f"no label {asked}: labels go from 0 to {self.no_label - 1}, and {self.no_label} is none")
        return int(asked)

    @property
    def choices(self) -> tuple[str, ...]:
        return self.names

    @property
    def asks_nothing(self) -> bool:
        return not self.names

    def called(self, asked: Any) -> str:
        index = self.index(asked)
        return self.names[index] if index < self.no_label else "no label"

    def in_turn(self, count: int, first: int = 0) -> list[int]:
        """Every label in turn, for data number `first` and those after it; "no label" where there are no names."""
        return [index % self.no_label if self.names else self.no_label for index in range(first, first + count)]

    def null(self, like: Condition) -> Condition:
        return {"label": torch.full_like(like["label"], self.no_label)}


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


def withheld(condition: Condition, null: Condition, drop: Tensor) -> Condition:
    """The condition, but "no condition" for the data where `drop`, bool (B,), is true."""
    return {name: torch.where(like(drop, value), null[name], value) for name, value in condition.items()}
