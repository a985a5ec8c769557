"""What a text encoder is: frozen, it makes of every text a sequence of vectors, and is never trained here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from fm.components import Component
from fm.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class EncoderError(UserError):
    """A text encoder that is not to be had, or is another than the one that was asked for."""


class Encoded(NamedTuple):
    """Texts as sequences of vectors.

    Attributes:
        values: float32 (B, length, width); zeros where there is no token.
        there: bool (B, length), true where there is a token; those of a text come first.
        cut: how many of the texts had more tokens than the encoder's length, and were cut there.

    >>> import torch
    >>> Encoded(torch.zeros(2, 5, 8), torch.tensor([[True] * 3 + [False] * 2] * 2), cut=0).there.sum(dim=1)
    tensor([3, 3])
    """

    values: Tensor
    there: Tensor
    cut: int


class Encoder(Component, ABC, kind="encoder"):
    """Encodes texts, each by itself: what else is encoded with it changes rounding at most.

    Attributes:
        packages: what has to be installed for it besides what a network takes, as pip calls it.

    >>> encoder = Encoder.of({"name": "minilm", "length": 32})
    >>> encoder.width, encoder.length
    (384, 32)
    """

    packages: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers that describe a token. Raises EncoderError where that has to be looked up, and cannot be."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Tokens of a text, at most; what is longer is cut. An option does too."""

    @property
    def sums(self) -> tuple[str, ...]:
        """The files it consists of, each as `sha256sum` says it: what tells it from another of the same name. Nothing
        for one without files. Raises EncoderError where it is not to be had."""
        return ()

    @abstractmethod
    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> Encoded:
        """On a device. Raises EncoderError where it is not to be had."""


def require_length(name: str, length: int, most: int) -> None:
    """That an encoder knows texts of so many tokens. Raises EncoderError."""
    if length > most:
        raise EncoderError(f"text encoder {name}: length = {length}: it knows texts of {most} tokens at most")
