"""Turbulence: velocities of a fluid in a plane, periodic and without divergence, computed here from random beginnings.

A field begins with random phases and is left to itself: its vortices merge, what lies between them is drawn out into
threads, and viscosity takes these away. What comes of it is told from noise of the same spectrum by the kurtosis of its
vorticity. Velocities are in units of the first one's root mean square, the square's side is 2 pi, and so times are in
units of that length by that velocity.

Source: McWilliams 1984, The emergence of isolated coherent vortices in turbulent flow, J. Fluid Mech. 146, as it begins
"""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice, option
from fm.data.coded import CodedSplits
from fm.data.dataset import CodedDataset, Request
from fm.data.rows import Arrays
from fm.errors import UserError


class Turbulence(
    CodedDataset,
    name="turbulence",
    says="velocities of a fluid in a plane on 64x64 points, without divergence, computed when they are asked for",
    source="McWilliams 1984, J. Fluid Mech. 146",
):
    """float32 (2, side, side): velocities along x and along y; rows are y. `fm.spectral.vorticity_of` is their curl.

    The default ones take a tenth of a second each on one core. A field is a function of the seed and of its number
    among all, training fields first; on machines whose Fourier transforms round otherwise, to rounding.

    >>> from pathlib import Path
    >>> asked = Request(Path(".cache"), Path(), size=64, channels=1, test_fraction=0.1, skip_bad=False)
    >>> Turbulence(train=2, test=1, side=16, time=0.1).load(asked).train.data.shape
    (2, 2, 16, 16)
    """

    defaults: ClassVar = {"dataset": {"licence": "computed here: nobody's"}}
    train: int = option(640, least=1, most=10**6, says="fields to train with")
    test: int = option(160, least=1, most=10**6, says="fields to test with")
    side: int = option(64, least=8, most=1024, says="points in either direction")
    seed: int = option(0, least=0, most=2**32, says="of their beginnings")
    time: float = option(6.0, above=0, most=1000, says="for which they are left to themselves")
    viscosity: float = option(0.003, above=0, most=100, says="of the fluid")
    drag: float = option(0.0, least=0, most=100, says="what slows all scales down alike")
    projected: bool = option(False, says="whether the divergence of what is made is taken away when it is decoded")
    force: float = option(0.0, least=0, most=100, says="amplitude of a steady force along x; 0 leaves them to fade")

    @property
    def measures(self) -> Choice:
        return {"name": "fields", "periodic": True, "velocity": True}

    def load(self, asked: Request) -> CodedSplits:
        """Raises UserError: the flow is too fast to be computed on so few points."""
        from fm.codecs import DivergenceFree, Standardised  # who only asks what datasets there are needs no networks
        from fm.conditions import Unconditional

        train = Arrays({"data": self.velocities(range(self.train))})
        test = Arrays({"data": self.velocities(range(self.train, self.train + self.test))})
        codec = (DivergenceFree if self.projected else Standardised).fitted(train).changed(variables=("u", "v"))
        return CodedSplits(train, test, codec, Unconditional(), origin=f"seed {self.seed}")

    def velocities(self, numbers: Iterable[int]) -> NDArray[np.float32]:
        """Of the fields with these numbers."""
        from fm.data.navier_stokes import NavierStokes, random_vorticity
        from fm.spectral import velocity_of

        fluid = NavierStokes(self.side, self.viscosity, self.drag, self.force)
        try:  # one by one: arrays of several do not stay in a core's cache, and take half as long again
            later = [fluid.after(random_vorticity(self.side, self.seed, number), self.time) for number in numbers]
        except FloatingPointError:
            raise UserError(
                f"turbulence: with force = {self.force:g} and drag = {self.drag:g} the flow is too fast for steps of "
                f"{fluid.step:g}: a smaller force or more drag would be right"
            ) from None
        return velocity_of(np.stack(later)).astype(np.float32)
