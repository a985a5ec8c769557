from collections.abc import Mapping, Sequence
from math import cos, radians, sin
from typing import Any

import torch

from fm.conditions import Condition, Conditioner, Spec, Vector


class Angle(Conditioner, says="an angle in degrees"):
    """Stored as its cosine and sine, so that 359 is beside 0; both are 0 for "no angle"."""

    @property
    def fields(self) -> Mapping[str, Spec]:
        return {"angle": Vector(2)}

    def read(self, asked: Sequence[Any]) -> Condition:
        pairs = [(0, 0) if one is None else (cos(radians(one)), sin(radians(one))) for one in asked]
        return {"angle": torch.tensor(pairs, dtype=torch.float32)}

    def null(self, like: Condition) -> Condition:
        return {"angle": torch.zeros_like(like["angle"])}
