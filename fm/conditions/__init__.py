"""What a datum is under: labels, texts, or a part of the datum itself, such as a video's first frames."""

from fm.conditions.conditioner import (
    Condition,
    Conditioner,
    Label,
    Labels,
    Map,
    Sequence,
    Spec,
    Unconditional,
    Vector,
    withheld,
)
from fm.conditions.given import FirstFrames, Given, LowResolution, Observed, Whole
from fm.conditions.text import Text, empty_sequence

__all__ = [
    "Condition",
    "Conditioner",
    "FirstFrames",
    "Given",
    "Label",
    "Labels",
    "LowResolution",
    "Map",
    "Observed",
    "Sequence",
    "Spec",
    "Text",
    "Unconditional",
    "Vector",
    "Whole",
    "empty_sequence",
    "withheld",
]
