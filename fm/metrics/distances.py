"""Distances between two sets of features, float (N, D) and (M, D).

What is as large as N x M, or as N x D in float64, is made block by block: what a figure takes beside the features
themselves does not grow with the number of samples.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating]

BLOCK = 1024  # rows that are taken together
CELLS = 2**21  # of a block of distances, 16 MiB


def frechet_distance(features_a: Features, features_b: Features) -> float:
    """Frechet distance of Gaussians fitted to two sets (Heusel et al. 2017, arXiv 1706.08500, eq. 6), at least 0.

    The trace of the matrix root is taken from the eigenvalues of the product of the covariances, which agrees
    with `sqrtm` to 1e-11 and is faster. It is biased upwards by a term in 1/N (Chong & Forsyth 2020).

    Raises:
        ValueError: a set with no more samples than dimensions, whose covariance is singular.
    """
    return gaussian_distance(moments(features_a), moments(features_b))


def distances_at_infinity(sets: Sequence[Features], reference: "Moments") -> list[float]:
    """The Frechet distance that infinitely many samples would have: a value for each of two or more sets.

    The bias of a distance is a series in 1/N that begins with 1/N itself (Chong & Forsyth 2020, arXiv 1911.07023).
    Against distances of all sets pooled and of all but one, the jackknife frees of that term (Quenouille 1956); these
    are its pseudo-values (Tukey 1958). Their mean is the estimate and their scatter its error, as if each were measured
    from its own set alone. Each can be below 0. Where a set has few samples more than dimensions, pooling matters:
    extrapolated from a set and its halves, the distance comes out far too low.

    Raises:
        ValueError: sets too small for a distance, or fewer than two.
    """
    return pseudo_values([(len(one), moments(one)) for one in sets], reference)


def pseudo_values(fitted: Sequence[tuple[int, "Moments"]], reference: "Moments") -> list[float]:
    """The same from how many samples each set has and what is fitted to it."""
    count = len(fitted)
    if count < 2:
        raise ValueError("one set alone cannot be left out")
    whole = gaussian_distance(pooled(fitted), reference)
    others = [[*fitted[:left_out], *fitted[left_out + 1 :]] for left_out in range(count)]
    return [count * whole - (count - 1) * gaussian_distance(pooled(rest), reference) for rest in others]


class Moments(NamedTuple):
    """Mean (D,) and unbiased covariance (D, D), float64.

    >>> fitted = moments(np.random.default_rng(0).normal(size=(100, 4)))
    >>> fitted.mean.shape, fitted.covariance.shape
    ((4,), (4, 4))
    """

    mean: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]


def gaussian_distance(a: Moments, b: Moments) -> float:
    """Squared 2-Wasserstein distance of two Gaussians (Dowson & Landau 1982), at least 0."""
    eigenvalues = np.linalg.eigvals(a.covariance @ b.covariance)
    root_trace = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    offset = a.mean - b.mean
    distance = offset @ offset + np.trace(a.covariance) + np.trace(b.covariance) - 2 * root_trace
    return max(float(distance), 0.0)


def moments(features: Features) -> Moments:
    """The Gaussian fitted to features. Raises ValueError with no more samples than dimensions."""
    if features.ndim != 2 or len(features) <= features.shape[1]:
        raise ValueError(f"features {features.shape}: a Frechet distance needs more samples than dimensions")
    mean = features.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)))
    for rows in blocks(len(features)):
        offset = features[rows] - mean
        scatter += offset.T @ offset
    return Moments(mean, scatter / (len(features) - 1))


def pooled(parts: Sequence[tuple[int, Moments]]) -> Moments:
    """The Gaussian fitted to several sets together, from how many samples each has and what is fitted to it."""
    total = sum(count for count, _ in parts)
    mean = sum((count * one.mean for count, one in parts), np.zeros(1)) / total
    scatter = sum(
        ((count - 1) * one.covariance + count * np.outer(one.mean - mean, one.mean - mean) for count, one in parts),
        np.zeros(1),
    )
    return Moments(mean, scatter / (total - 1))


def kernel_distance(features_a: Features, features_b: Features, within_b: float | None = None) -> float:
    """KID: unbiased squared maximum mean discrepancy with the kernel (x.y / D + 1)^3 (Binkowski et al. 2018,
    arXiv 1801.01401, section 4). Its expectation is 0 for equal distributions, so it can be negative.

    Args:
        within_b: mean_kernel_of_pairs of the second set, for those who measure many against it.
    """
    n, m = len(features_a), len(features_b)
    between = sum(
        kernel(features_a[rows], features_b[columns]).sum() for rows in blocks(n) for columns in blocks(m)
    ) / (n * m)
    within = mean_kernel_of_pairs(features_b) if within_b is None else within_b
    return float(mean_kernel_of_pairs(features_a) + within - 2 * between)


def mean_kernel_of_pairs(features: Features) -> float:
    """The mean of the kernel over all pairs of two different samples of a set."""
    count, total = len(features), 0.0
    for rows in blocks(count):
        square = kernel(features[rows], features[rows])
        total += square.sum() - np.trace(square)
        later = features[rows.stop :]
        total += 2 * sum(float(kernel(features[rows], later[columns]).sum()) for columns in blocks(len(later)))
    return float(total) / (count * (count - 1))


def kernel(a: Features, b: Features) -> npt.NDArray[np.float64]:
    """(x.y / D + 1)^3 of each of a (N, D) with each of b (M, D): (N, M)."""
    values: npt.NDArray[np.float64] = a.astype(np.float64) @ b.astype(np.float64).T
    values /= a.shape[1]
    values += 1
    return values * values * values


def precision_recall(real: Features, generated: Features, k: int = 5) -> tuple[float, float]:
    """Share of generated samples within the real manifold, and of real ones within the generated manifold.

    A manifold is the union of balls that reach to each sample's k-th nearest neighbour (Kynkaanniemi et al. 2019,
    arXiv 1904.06991, eq. 1). Compare figures of equal sample counts only.
    """
    reach_of_real, reach_of_generated = radii(real, k), radii(generated, k)
    is_real = np.zeros(len(generated), dtype=np.bool_)
    is_covered = np.zeros(len(real), dtype=np.bool_)
    for rows, between in distances_by_rows(real, generated):
        is_real |= (between <= reach_of_real[rows, None]).any(axis=0)
        is_covered[rows] = (between <= reach_of_generated).any(axis=1)
    return float(is_real.mean()), float(is_covered.mean())


def nearest(features: Features, among: Features, k: int) -> npt.NDArray[np.int64]:
    """The rows of `among` (M, D) nearest to each of `features` (N, D), the nearest first: int64 (N, k)."""
    if len(among) < k:
        raise ValueError(f"{len(among)} samples have no {k} nearest")
    found = np.empty((len(features), k), dtype=np.int64)
    for rows, between in distances_by_rows(features, among):
        # Stable, so that equal distances keep the order of `among`.
        found[rows] = np.argsort(between, axis=1, kind="stable")[:, :k]
    return found


def radii(features: Features, k: int) -> npt.NDArray[np.float64]:
    """Distance from each sample to its k-th nearest neighbour in the same set, itself not counted."""
    if len(features) <= k:
        raise ValueError(f"{len(features)} samples have no {k}-th neighbour")
    found = np.empty(len(features))
    for rows, within in distances_by_rows(features, features):
        found[rows] = np.partition(within, k, axis=1)[:, k]
    return found


def distances_by_rows(a: Features, b: Features) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Euclidean distances of each of a (N, D) from each of b (M, D): some rows of a at a time, and (rows, M)."""
    from scipy.spatial.distance import cdist  # takes a second, which checking settings can do without

    for rows in blocks(len(a), max(min(CELLS // len(b), BLOCK), 1)):
        yield rows, np.concatenate([cdist(a[rows], b[columns]) for columns in blocks(len(b))], axis=1)


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """0 to count in pieces of `size` rows, the last one shorter."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
