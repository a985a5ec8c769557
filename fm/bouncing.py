"""The law of what flies straight between two walls and bounces off them without loss."""

import numpy as np
import numpy.typing as npt


def bounced(flown: npt.NDArray[np.float64], span: float) -> npt.NDArray[np.float64]:
    """Where it is, from 0 to `span`, of where it would be without walls, in any shape.

    >>> bounced(np.array([3.0, 18.0, 20.0, 37.0, -1.0]), span=18)
    array([ 3., 18., 16.,  1.,  1.])
    """
    return span - np.abs(np.mod(flown, 2 * span) - span)
