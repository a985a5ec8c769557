"""What is measured of any videos: their frames one by one, and what changes from one to the next."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.metrics.frames import change, distance_of_frames, from_afar
from fm.metrics.measures.measures import Described, Figure, Measures, mean
from fm.metrics.motion import flicker

OF_FRAMES = Figure("frames", "Fréchet distance of single frames, by the means of 8 x 8 squares", aim="low")


class FilmMeasures(Measures, name="films", says="how far single frames are from the data's, and how much changes"):
    """Of videos uint8 (N, T, H, W, C), whatever they show.

    >>> film = np.zeros((1, 2, 8, 8, 1), np.uint8)
    >>> film[0, 0, 0, 0] = film[0, 1, 0, 1] = 64
    >>> described = FilmMeasures().describe(film)
    >>> FilmMeasures().values(described, described)
    {'frames': nan, 'flicker': 0.0, 'change': 2.0}
    """

    figures: ClassVar = (
        OF_FRAMES,
        Figure("flicker", "change of brightness from frame to frame", "share"),
        Figure("change", "change of pixels from frame to frame", "grey levels"),
    )

    def describe(self, stored: NDArray[Any], recognised: NDArray[np.bool_] | None = None) -> Described:
        return {"frames": from_afar(stored), "flicker": flicker(stored), "change": change(stored)}

    def values(self, described: Described, of_data: Described) -> Mapping[str, float]:
        return {
            "frames": distance_of_frames(described["frames"], of_data["frames"]),
            "flicker": mean(described["flicker"]),
            "change": mean(described["change"]),
        }
