"""How wide the interval of a distance is, by how its images are cut into sample sets.

    .venv/bin/python -m benchmarks.sample_sets

Features are drawn from two Gaussians whose distance is that of a short training (about ten times the floor); an
evaluation's own interval is computed many times for each plan, as fm.evaluation computes it.
"""

import argparse
from statistics import fmean

import numpy as np
import numpy.typing as npt

from fm.evaluation import CONFIDENCE
from fm.metrics.distances import Moments, distances_at_infinity, gaussian_distance, moments
from fm.metrics.intervals import mean_interval

Features = npt.NDArray[np.float64]
DIMENSIONS = 64
PLANS = ((4, 500), (8, 250), (8, 150), (10, 100), (4, 300))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=40, help="evaluations of each plan (%(default)s)")
    chosen = parser.parse_args()
    random = np.random.default_rng(0)
    print("| sets | images of each | images | distance | its interval, plus or minus | extrapolated | plus or minus |")
    print("|---|---|---|---|---|---|---|")
    for sets, images in PLANS:
        found = [evaluated(random, sets, images) for _ in range(chosen.repeats)]
        told = " | ".join(f"{fmean(column):.2f}" for column in zip(*found, strict=True))
        print(f"| {sets} | {images} | {sets * images} | {told} |")


def evaluated(random: np.random.Generator, sets: int, images: int) -> tuple[float, float, float, float]:
    """Distance and half its interval's width, both as they are and extrapolated to infinitely many images."""
    drawn = [generated(random, images) for _ in range(sets)]
    raw = mean_interval([gaussian_distance(moments(one), REAL) for one in drawn], CONFIDENCE)
    far = mean_interval(distances_at_infinity(drawn, REAL), CONFIDENCE)
    return raw.mean, (raw.high - raw.low) / 2, far.mean, (far.high - far.low) / 2


# Standard deviations that fall as those of a classifier's features do.
DEVIATIONS = 4 * 0.93 ** np.arange(DIMENSIONS)
REAL = Moments(np.zeros(DIMENSIONS), np.diag(DEVIATIONS**2))


def generated(random: np.random.Generator, count: int) -> Features:
    """Images that are off: their mean by a fifth of a deviation, their spread by a fifth."""
    return random.normal(size=(count, DIMENSIONS)) * DEVIATIONS * 0.8 + 0.2 * DEVIATIONS


if __name__ == "__main__":
    main()
