"""What the numbers and the points of a datum stand for, so that a sample can be written as its data were."""

from __future__ import annotations

from abc import ABC

from fm.codecs.codec import Codec
from fm.components import option


class Described(Codec, ABC):
    """A codec that can say what its channels are called, in which units they are, and how far its points lie apart.

    All of it is for people and for files of samples; what is modelled does not depend on it.

    >>> from fm.codecs import Standardised
    >>> wind = Standardised(
    ...     (2, 8, 8), variables=("u", "v"), units=("m/s", "m/s"), spacing=(-2.5, 2.5), spacing_units=("km", "km")
    ... )
    >>> wind.units, wind.spacing
    (('m/s', 'm/s'), (-2.5, 2.5))
    """

    variables: tuple[str, ...] = option((), says="what each channel is called")
    units: tuple[str, ...] = option((), says="of each channel")
    spacing: tuple[float, ...] = option((), says="from a point to the next along each axis")
    spacing_units: tuple[str, ...] = option((), says="of the spacing along each axis")

    def check(self) -> None:
        channels, *axes = self.shape
        for name, of_what, wanted in (
            ("variables", "channels", channels),
            ("units", "channels", channels),
            ("spacing", "axes", len(axes)),
            ("spacing_units", "axes", len(axes)),
        ):
            given = len(getattr(self, name))
            if given not in (0, wanted):
                raise ValueError(f"{name} has {given} entries for {wanted} {of_what}")
