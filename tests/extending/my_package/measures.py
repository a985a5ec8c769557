from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.components import option
from fm.metrics.measures import Described, Figure, Measures


class Wetness(Measures, says="how often it rains, and how much then"):
    dry: float = option(0.1, least=0, says="millimetres that are no rain")

    figures: ClassVar = (
        Figure("rainy", "points where it rains", "share"),
        Figure("rain", "what falls there", "mm"),
    )

    def describe(self, stored: NDArray[Any], recognised: NDArray[np.bool_] | None = None) -> Described:
        wet, points = stored > self.dry, tuple(range(1, stored.ndim))
        return {"rainy": wet.mean(axis=points), "fallen": np.where(wet, stored, 0).mean(axis=points)}

    def values(self, described: Described, of_data: Described) -> Mapping[str, float]:
        rainy, fallen = described["rainy"].mean(), described["fallen"].mean()
        return {"rainy": float(rainy), "rain": float(fallen / rainy) if rainy else float("nan")}
