"""What every codec is: between what is stored and what is modelled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from numpy.typing import NDArray

from fm.components import Component, option
from fm.noise import Draws

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BESIDE = "codec"
"""The folder beside a generator's or a dataset's files that has what a codec saves."""


class Codec(Component, ABC, kind="codec"):
    """Encodes what is stored and decodes what is made.

    Attributes:
        dtype: numpy's name for what is stored.
        on_device: whether `encode` takes tensors too and answers on their device, so that a GPU is given data as small
            as they are stored.

    >>> import numpy as np
    >>> codec = Codec.of({"name": "pixels", "stored": [8, 8, 3]})
    >>> codec.encode(np.full((1, 8, 8, 3), 255, np.uint8)).max()
    tensor(1.)
    """

    dtype: ClassVar[str]
    on_device: ClassVar[bool] = False
    stored: tuple[int, ...] = option(least=1, length=(1, 16), says="shape of one datum as stored")
    scale: float = option(1.0, above=0, most=1e6, says="standard deviation of the modelled data, as measured")

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(C, *spatial) of one datum as modelled."""

    @property
    @abstractmethod
    def bound(self) -> float | None:
        """The largest absolute value of modelled data; None where nothing bounds them."""

    @abstractmethod
    def encode(self, stored: NDArray[Any], draws: Draws | None = None) -> Tensor:
        """(B, *stored) -> float32 (B, *shape); a codec that draws takes its mean where it is given no draws."""

    @abstractmethod
    def decode(self, x: Tensor) -> NDArray[Any]:
        """(B, *shape) -> (B, *stored), contiguous and of this codec's dtype."""

    @property
    def origin(self) -> str:
        """What the modelled data depend on beside the choice: a sum of weights; nothing for most."""
        return ""

    @property
    def of_samples(self) -> Codec:
        """What decodes samples: this one, unless its data lie encoded already."""
        return self

    def changed(self, **options: Any) -> Self:
        """The same with other options."""
        return replace(self, **options)

    def save(self, folder: Path) -> None:
        """Write what its choice cannot say, as a network's weights; most have nothing of the kind, and no folder."""

    def loaded(self, folder: Path) -> Self:
        """With what `save` wrote. Raises GeneratorError: it is not there, or is damaged."""
        return self

    def to(self, device: torch.device | str) -> None:
        """Compute there, where it does with weights."""


def require(codec: Codec, stored: NDArray[Any] | Tensor) -> None:
    """That these are data of the shape that the codec stores. Raises ValueError."""
    if tuple(stored.shape[1:]) != codec.stored:
        raise ValueError(f"each datum must be {codec.stored}, not {tuple(stored.shape[1:])}")
