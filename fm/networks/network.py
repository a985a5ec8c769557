"""What a network is, before it has weights: the options of its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from fm.components import Component
from fm.conditions import Spec

if TYPE_CHECKING:
    from torch import nn

Padding = Literal["zeros", "circular", "circular_space"]
PADDING = (
    "what lies beyond the edges: nothing; the other side (circular), as of periodic data; or the other side but for "
    "the first axis (circular_space), as of videos of such data"
)
FACTORISED = (
    "attention first within each slice of the first axis, as a video's frame, and then along that axis alone; false: "
    "among all points at once"
)

SKIP = (
    "what is put in comes out too, times a number that is learnt for each time: for patches of more than half as many "
    "numbers as the network has channels"
)


class Network(Component, ABC, kind="network"):
    """The options of a kind of network; `build` makes one of random weights.

    Attributes:
        from_elsewhere: whether it is there for weights that have been trained elsewhere, not to be trained from none.

    >>> import torch
    >>> network = Network.of({"name": "transformer", "width": 16}).build((3, 8, 8), {})
    >>> network(torch.zeros(2, 3, 8, 8), torch.zeros(2), {}).shape
    torch.Size([2, 3, 8, 8])
    """

    from_elsewhere: ClassVar[bool] = False

    @abstractmethod
    def build(self, shape: Sequence[int], fields: Mapping[str, Spec], until: bool = False) -> nn.Module:
        """A module to be called network(x, t, condition, until=None) -> tensor like x, float (B, *shape).

        Args:
            shape: (C, *spatial) of a datum.
            fields: what the condition consists of, by name; {} for none.
            until: whether the network is told the time at which a step ends too, as few-step methods do.

        Raises:
            ValueError: sizes that do not fit together.
        """
