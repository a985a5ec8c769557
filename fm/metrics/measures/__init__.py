"""What is measured of data that are no pictures, each kind by what can be right or wrong of it."""

from fm.metrics.measures.fields import FieldMeasures
from fm.metrics.measures.films import FilmMeasures
from fm.metrics.measures.measures import Curve, Described, Figure, Measures, some, together
from fm.metrics.measures.motion import MotionMeasures
from fm.metrics.measures.volumes import VolumeMeasures

__all__ = [
    "Curve",
    "Described",
    "FieldMeasures",
    "Figure",
    "FilmMeasures",
    "Measures",
    "MotionMeasures",
    "VolumeMeasures",
    "some",
    "together",
]
