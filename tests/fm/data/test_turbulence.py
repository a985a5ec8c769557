from pathlib import Path

import numpy as np
import pytest

from fm.data.sources import Request, Turbulence
from fm.errors import UserError
from fm.spectral import divergence_of, vorticity_of

ASKED = Request(Path(), Path(), size=64, channels=1, test_fraction=0.1, skip_bad=False)
SMALL = Turbulence(train=3, test=2, side=32, time=1.0, viscosity=0.01)


def test_fields_are_velocities_without_divergence_and_without_mean() -> None:
    splits = SMALL.load(ASKED)
    assert (splits.train.data.shape, splits.test.data.shape) == ((3, 2, 32, 32), (2, 2, 32, 32))
    assert splits.train.data.dtype == np.float32
    for rows in (splits.train, splits.test):
        turned = vorticity_of(rows.data)
        assert abs(divergence_of(rows.data)).max() < 1e-6 * abs(turned).max()
        assert abs(rows.data.mean(axis=(-1, -2))).max() < 1e-6
        assert turned.std() > 1


def test_a_field_is_a_function_of_the_seed_and_of_its_number() -> None:
    splits = SMALL.load(ASKED)
    np.testing.assert_array_equal(SMALL.velocities([4]), splits.test.data[1:])
    np.testing.assert_array_equal(SMALL.velocities(range(3)), splits.train.data)
    everything = np.concatenate([splits.train.data, splits.test.data]).reshape(5, -1)
    assert abs(np.corrcoef(everything) - np.eye(5)).max() < 0.6
    assert not np.allclose(Turbulence(seed=1, side=32, time=1.0, viscosity=0.01).velocities([0]), splits.train.data[:1])


def test_its_codec_makes_either_part_of_deviation_1() -> None:
    splits = SMALL.load(ASKED)
    modelled = splits.codec.encode(splits.train.data)
    assert modelled.std(dim=(0, 2, 3)).tolist() == pytest.approx([1, 1], abs=1e-3)
    np.testing.assert_allclose(splits.codec.decode(modelled), splits.train.data, atol=1e-6)


def test_a_flow_too_fast_for_its_steps_is_told() -> None:
    with pytest.raises(UserError, match="turbulence: with force = 100 and drag = 0 the flow is too fast"):
        Turbulence(train=1, test=1, side=32, time=50, force=100).load(ASKED)
