"""How well several samples under one condition, an ensemble, tell what really came of it.

An ensemble is (members, ...), the truth (...) with as many numbers: fields, videos, one number alike; every number of
the datum is looked at by itself.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


def crps(ensemble: Numbers, truth: Numbers) -> NDArray[np.float64]:
    """Continuous ranked probability score of each number, like `truth`, in its unit; 0 is best, and of one member it is
    the absolute error. With M members x and the truth y

        mean |x - y|  -  sum over pairs |x - x'| / (2 M (M - 1))

    which is fair: its mean does not depend on how many members there are, so that many bad ones gain nothing over few
    good ones (Gneiting & Raftery 2007, J. Am. Stat. Assoc. 102, eq. 20; fair: Ferro 2014, Q. J. R. Meteorol. Soc. 140).

    Raises:
        ValueError: the shapes do not go together.

    >>> crps(np.array([[1.0], [3.0]]), np.array([2.0]))
    array([0.])
    """
    members = checked(ensemble, truth)
    count = len(members)
    error: NDArray[np.float64] = np.abs(members - truth).mean(axis=0)
    if count == 1:
        return error
    # Of the sorted members the one at place i is the larger one of i pairs, and the smaller one of the others.
    weights = 2 * np.arange(count) - (count - 1)
    apart = np.tensordot(weights, np.sort(members, axis=0), axes=1)
    found: NDArray[np.float64] = error - apart / (count * (count - 1))
    return found


def rank_histogram(ensemble: Numbers, truth: Numbers) -> NDArray[np.float64]:
    """At how many numbers of the datum the truth has how many members below it, float64 (members + 1,): flat where the
    truth could be one of the members (Hamill 2001, Mon. Weather Rev. 129). A slope says that all are too large or too
    small, a valley that they are too much alike, a hill that they are too different.

    A truth that is equal to members is shared out evenly among the places that it could have.

    Raises:
        ValueError: the shapes do not go together.

    >>> rank_histogram(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([2.5, 2.0]))
    array([0.33333333, 1.33333333, 0.33333333])
    """
    members = checked(ensemble, truth)
    below = (members < truth).sum(axis=0).ravel()
    equal = (members == truth).sum(axis=0).ravel()
    share = 1 / (equal + 1)
    changes = np.zeros(len(members) + 2)  # of the histogram, from each place to the next
    np.add.at(changes, below, share)
    np.add.at(changes, below + equal + 1, -share)
    counts: NDArray[np.float64] = changes.cumsum()[:-1]
    return counts


def unevenness(histogram: Numbers) -> float:
    """The share of a rank histogram that would have to lie elsewhere for it to be flat, from 0 to below 1: its distance
    of total variation from a flat one.

    Where N independent truths do come from the ensemble of M, chance alone makes about sqrt(M / (2 pi N)) of it.

    >>> unevenness(np.array([25, 25, 25, 25])), unevenness(np.array([50, 0, 0, 50]))
    (0.0, 0.5)
    """
    shares = np.asarray(histogram, dtype=np.float64) / np.sum(histogram)
    return float(np.abs(shares - 1 / len(shares)).sum() / 2)


def spread_by_error(ensemble: Numbers, truth: Numbers) -> float:
    """The members' standard deviation by the root mean squared error of their mean, as a single new member would have
    it: 1 where the truth could be one of them, below 1 where they are too sure of themselves (Fortin et al. 2014,
    J. Hydrometeorol. 15, eq. 15).

    Raises:
        ValueError: the shapes do not go together, or there is only one member.

    >>> random = np.random.default_rng(0)
    >>> round(spread_by_error(random.normal(size=(10, 100_000)), random.normal(size=100_000)), 2)
    1.0
    """
    members = checked(ensemble, truth)
    if len(members) < 2:
        raise ValueError("an ensemble of one member has no spread")
    variance = members.var(axis=0, ddof=1).mean() * (1 + 1 / len(members))
    return float(np.sqrt(variance / np.square(members.mean(axis=0) - truth).mean()))


def checked(ensemble: Numbers, truth: Numbers) -> NDArray[np.float64]:
    """The members in float64. Raises ValueError where they do not go together with the truth."""
    members = np.asarray(ensemble, dtype=np.float64)
    if members.ndim == 0 or len(members) == 0 or members.shape[1:] != np.shape(truth):
        raise ValueError(f"an ensemble (members, ...) of {np.shape(truth)} is needed, not {members.shape}")
    return members
