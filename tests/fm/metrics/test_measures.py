"""What is measured of data in their own terms: the same however they are cut, and right of what is right alone."""

import numpy as np
import pytest

from fm.bouncing import bounced
from fm.data.turbulence import Turbulence
from fm.metrics.fields import kurtosis, power_spectrum, slopes
from fm.metrics.measures import FieldMeasures, FilmMeasures, Measures, MotionMeasures, VolumeMeasures, some, together

FLOW = {"name": "fields", "periodic": True, "velocity": True}


@pytest.fixture(scope="module")
def flow() -> np.ndarray:
    return Turbulence(side=16, time=0.1).velocities(range(12))


def film(places: np.ndarray, size: int = 2) -> np.ndarray:
    """A bright square with its first pixel at this row and column (T, 2) of each frame."""
    frames = np.zeros((1, len(places), 12, 12, 1), np.uint8)
    for frame, (row, column) in zip(frames[0], places.astype(int), strict=True):
        frame[row : row + size, column : column + size] = 255
    return frames


def test_fields_are_measured_as_by_the_functions(flow: np.ndarray) -> None:
    measures = Measures.of(FLOW)
    described = measures.describe(flow)
    found = measures.values(described, described)
    assert found.keys() == {one.name for one in measures.told}
    assert found["kurtosis"] == pytest.approx(kurtosis(flow).mean(), rel=1e-6)
    assert found["kurtosis_slopes"] == pytest.approx(kurtosis(slopes(flow, periodic=True)).mean(), rel=1e-6)
    assert found["spectrum"] == found["offset"] == 0
    assert found["divergence"] < 1e-6
    np.testing.assert_allclose(described["spectrum"].mean(axis=(0, 1)), power_spectrum(flow))


def test_a_set_in_chunks_is_the_same_set(flow: np.ndarray) -> None:
    measures = Measures.of(FLOW)
    whole, parts = measures.describe(flow), [measures.describe(flow[:5]), measures.describe(flow[5:])]
    assert measures.values(together(parts), whole) == pytest.approx(measures.values(whole, whole))
    assert measures.values(some(whole, np.arange(12)), whole) == measures.values(whole, whole)


def test_more_power_is_so_many_decibels_and_decades(flow: np.ndarray) -> None:
    measures = Measures.of(FLOW)
    of_data, louder = measures.describe(flow), measures.describe(10 * flow)
    lines = measures.lines(louder, of_data)["spectrum"]
    assert np.nanmax(np.abs(lines - 20)) < 1e-6
    assert measures.values(louder, of_data)["spectrum"] == pytest.approx(2)


def test_of_a_channel_that_never_changes_there_is_nothing_to_say() -> None:
    fields = np.random.default_rng(0).normal(size=(6, 2, 8, 12)).astype(np.float32)
    fields[:, 1] = 3
    measures = FieldMeasures()
    described, of_first = measures.describe(fields), measures.describe(fields[:, :1])
    found = measures.values(described, described)
    assert found == pytest.approx(measures.values(of_first, of_first))
    assert measures.lines(described, described)["spectrum"].tolist() == [0] * 6
    still = measures.describe(fields[:, 1:])
    assert all(np.isnan(value) for value in measures.values(still, still).values())
    assert np.isnan(measures.lines(still, still)["spectrum"]).all()


def test_frames_out_of_order_are_the_same_frames_and_another_change() -> None:
    measures, random = FilmMeasures(), np.random.default_rng(0)
    films = np.cumsum(random.integers(0, 8, (20, 12, 8, 8, 1)), axis=1).astype(np.uint8)
    shuffled = np.stack([film[random.permutation(12)] for film in films])
    of_data = measures.describe(films)
    kept, mixed = (measures.values(one, of_data) for one in (of_data, measures.describe(shuffled)))
    assert kept["frames"] == pytest.approx(mixed["frames"], abs=1e-6) == 0
    assert mixed["change"] > 2 * kept["change"]
    assert mixed["flicker"] > 2 * kept["flicker"]
    brighter = measures.values(measures.describe(films + 10), of_data)
    assert brighter["frames"] == pytest.approx(64 * 10**2, rel=1e-3)
    few = measures.describe(films[:1])
    assert np.isnan(measures.values(few, of_data)["frames"])


def test_what_bounces_is_lawful_and_stays_what_it_is() -> None:
    measures, times = MotionMeasures(span=10), np.arange(12.0)
    straight = film(np.stack([bounced(1 + 2 * times, 10), np.full(12, 4.0)], axis=1))
    found = measures.values(described := measures.describe(straight), described)
    assert (found["lawful"], found["kept"], found["both"]) == (1, 1, 1)
    assert found["speed"] == pytest.approx(2, abs=0.01)


def test_what_jumps_is_not_lawful_and_what_changes_is_not_kept() -> None:
    measures, random = MotionMeasures(span=10), np.random.default_rng(0)
    jumping = measures.describe(film(random.integers(0, 10, (12, 2)).astype(float)))
    assert (jumping["lawful"].item(), jumping["kept"].item()) == (0, 1)
    still = film(np.full((12, 2), 3.0))
    still[0, 6:] = film(np.full((6, 2), 3.0), size=7)[0]
    changing = measures.describe(still)
    assert (changing["lawful"].item(), changing["kept"].item()) == (0, 0)


def test_a_black_video_and_an_empty_volume_have_little_to_say() -> None:
    black = MotionMeasures(span=10).describe(np.zeros((1, 4, 8, 8, 1), np.uint8))
    assert black["lawful"].item() == 0
    assert np.isnan(black["both"].item())
    empty = VolumeMeasures().describe(np.zeros((1, 4, 4, 4, 1), np.uint8), recognised=np.array([True]))
    assert (empty["one_part"].item(), empty["both"].item(), empty["occupancy"].item()) == (0, 0, 0)
