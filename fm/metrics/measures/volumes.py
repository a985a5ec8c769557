"""What is measured of volumes: how much is filled, whether it hangs together, and whether it is what it should be."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.metrics.measures.measures import Described, Figure, Measures, mean
from fm.metrics.volumes import connected, occupancy


class VolumeMeasures(Measures, name="volumes", says="how much is filled, and whether it is one part and recognised"):
    """Of voxels uint8 (N, D, H, W, 1).

    >>> rows = np.array([[255, 255, 0], [255, 0, 255]], np.uint8).reshape(2, 1, 1, 3, 1)
    >>> described = VolumeMeasures().describe(rows, recognised=np.array([True, True]))
    >>> {name: round(value, 2) for name, value in VolumeMeasures().values(described, described).items()}
    {'one_part': 0.5, 'recognised': 1.0, 'both': 0.5, 'largest': 0.75, 'occupancy': 0.67}
    """

    figures: ClassVar = (
        Figure("one_part", "volumes that are one connected part", "share", aim="high"),
        Figure("recognised", "volumes recognised as what was asked for", "share", aim="high"),
        Figure("both", "volumes that are one part and recognised", "share", aim="high"),
        Figure("largest", "what the largest part has of all that is filled", "share", aim="high"),
        Figure("occupancy", "what is filled", "share"),
    )

    def describe(self, stored: NDArray[Any], recognised: NDArray[np.bool_] | None = None) -> Described:
        found = connected(stored)
        one_part = (found.parts == 1).astype(np.float64)
        known = np.full(len(stored), np.nan) if recognised is None else recognised.astype(np.float64)
        return {
            "one_part": one_part,
            "recognised": known,
            "both": one_part * known,
            "largest": found.largest,
            "occupancy": occupancy(stored),
        }

    def values(self, described: Described, of_data: Described) -> Mapping[str, float]:
        return {figure.name: mean(described[figure.name]) for figure in self.figures}
