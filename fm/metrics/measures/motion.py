"""What is measured of videos of bright things that fly and bounce: their law, their flicker, and whether they stay what
they are."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.components import option
from fm.metrics.frames import distance_of_frames, from_afar
from fm.metrics.measures.films import OF_FRAMES
from fm.metrics.measures.measures import Described, Figure, Measures, mean
from fm.metrics.motion import flicker, law, likeness, things, tracks

NEAR = 0.15
"""How far off a speed may be, as a share of it."""
ALIKE = 0.9
"""The likeness of what a thing is in one frame and in all together, from which on it is one thing."""


class MotionMeasures(
    Measures,
    name="motion",
    says="whether things fly at a lawful speed and bounce, stay what they are, and do not flicker",
):
    """Of videos uint8 (N, T, H, W, 1), whose things may move by `span` pixels in either direction.

    >>> from fm.bouncing import bounced
    >>> film = np.zeros((1, 16, 16, 16, 1), np.uint8)
    >>> for frame, place in enumerate(bounced(1 + 2 * np.arange(16.0), span=13).astype(int)):
    ...     film[0, frame, 4:7, place : place + 3] = 255
    >>> measures = MotionMeasures(span=13)
    >>> measures.values(described := measures.describe(film), described)["lawful"]
    1.0
    """

    span: float = option(above=0, most=4096, says="pixels that things may move by in either direction")
    slowest: float = option(1.0, least=0, most=100, says="pixels a frame")
    fastest: float = option(3.0, above=0, most=100, says="pixels a frame")

    figures: ClassVar = (
        Figure(
            "lawful",
            f"videos that show one number of things, each off its law and its speeds by {NEAR:.0%} of a speed at most",
            "share",
            aim="high",
        ),
        Figure(
            "kept",
            f"videos of one thing that stays what it is: in each frame {ALIKE:.0%} alike to what it is in all",
            "share",
            aim="high",
        ),
        Figure("both", "videos of one thing that is lawful and stays what it is", "share", aim="high"),
        Figure("law", "how far things are from where their law has them", "pixels", aim="low"),
        Figure("speed", "how fast things fly", "pixels a frame"),
        Figure("flicker", "change of brightness from frame to frame", "share", aim="low"),
        OF_FRAMES,
    )

    def describe(self, stored: NDArray[Any], recognised: NDArray[np.bool_] | None = None) -> Described:
        count = things(stored)
        speed, residual = np.full((2, len(stored)), np.nan)
        lawful = np.zeros(len(stored))
        for number in np.unique(count[count > 0]):
            of_these = np.flatnonzero(count == number)
            found = law(tracks(stored[of_these], int(number)), self.span)  # (of these, number)
            within = (found.speed >= (1 - NEAR) * self.slowest) & (found.speed <= (1 + NEAR) * self.fastest)
            lawful[of_these] = (within & (found.residual <= NEAR * found.speed)).all(axis=1)
            speed[of_these], residual[of_these] = found.speed.mean(axis=1), found.residual.mean(axis=1)
        one = count == 1
        alike = np.where(one, likeness(stored), np.nan)
        kept = np.where(one, alike >= ALIKE, np.nan)
        both = np.where(one, lawful * (alike >= ALIKE), np.nan)
        return {
            "lawful": lawful,
            "kept": kept,
            "both": both,
            "law": residual,
            "speed": speed,
            "flicker": flicker(stored),
            "frames": from_afar(stored),
        }

    def values(self, described: Described, of_data: Described) -> Mapping[str, float]:
        found = {figure.name: mean(described[figure.name]) for figure in self.figures if figure != OF_FRAMES}
        return {**found, "frames": distance_of_frames(described["frames"], of_data["frames"])}
