import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fm.codecs import Codec, Pixels, Standardised, measured
from fm.codecs.measuring import CHUNK, chunks
from fm.data.rows import Arrays


@given(st.data(), array_shapes(min_dims=1, max_dims=4, max_side=5))
def test_pixels_of_any_shape_come_back_as_they_were(data: st.DataObject, stored: tuple[int, ...]) -> None:
    """Vectors, sequences, images, videos and volumes."""
    codec = Pixels(stored)
    pixels = data.draw(arrays(np.uint8, (2, *stored)))
    encoded = codec.encode(pixels)
    assert encoded.shape == (2, *codec.shape) == (2, stored[-1], *stored[:-1])
    assert encoded.dtype == torch.float32
    assert codec.bound is not None
    assert float(encoded.abs().max()) <= codec.bound
    decoded = codec.decode(encoded)
    assert decoded.dtype == np.dtype(codec.dtype)
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, pixels)


def test_images_are_encoded_to_the_bits_of_before_there_were_codecs() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    before = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
    now = Pixels((4, 6, 3)).encode(images)
    assert torch.equal(now, before)
    assert now.stride() == before.stride()  # by which convolutions choose how they add
    noisy = before + 0.3 * torch.randn(before.shape, generator=torch.Generator().manual_seed(0))
    rounded = ((noisy + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(Pixels((4, 6, 3)).decode(noisy), rounded)


@pytest.mark.parametrize("stored", [(3,), (2, 5), (2, 4, 6), (1, 3, 4, 5)])
def test_floats_are_standardised_channel_by_channel(stored: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    by_channel = (np.arange(1, stored[0] + 1) * 10.0).reshape(-1, *[1] * (len(stored) - 1))
    fields = (by_channel + by_channel * generator.standard_normal((3 * CHUNK, *stored))).astype(np.float32)
    codec = Standardised.fitted(Arrays({"data": fields}))
    encoded = codec.encode(fields)
    assert encoded.shape == (len(fields), *codec.shape)
    for channel in range(stored[0]):
        assert float(encoded[:, channel].mean()) == pytest.approx(0, abs=1e-3)
        assert float(encoded[:, channel].std()) == pytest.approx(1, abs=1e-3)
    decoded = codec.decode(encoded)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, fields, rtol=1e-5, atol=1e-4)
    assert codec.bound is None


def test_a_channel_that_never_changes_is_no_division_by_zero() -> None:
    codec = Standardised.fitted(Arrays({"data": np.full((4, 2, 3), 7.0)}))
    assert (codec.mean, codec.deviation) == ((7.0, 7.0), (1.0, 1.0))


@pytest.mark.parametrize(
    ("codec", "data", "deviation"),
    [
        (Pixels((2, 2, 1)), np.array([0, 255] * 1501, np.uint8).repeat(4).reshape(-1, 2, 2, 1), 1.0),
        (Pixels((1,)), np.array([[0], [255], [255], [255]], np.uint8), 0.866025),
        (Standardised((2,)), np.array([[3.0, -3.0]]), 3.0),
        (Pixels((1,)), np.array([[9], [9]], np.uint8), 0.5),  # all alike: nothing to measure
    ],
)
def test_the_scale_is_the_deviation_of_the_modelled_data(codec: Codec, data: np.ndarray, deviation: float) -> None:
    assert measured(codec, Arrays({"data": data})).scale == deviation


@pytest.mark.parametrize(
    ("codec", "data", "message"),
    [
        (Pixels((4, 4, 1)), np.zeros((1, 4, 5, 1), np.uint8), r"each datum must be \(4, 4, 1\), not \(4, 5, 1\)"),
        (Pixels((4, 4, 1)), np.zeros((1, 4, 4, 1)), "pixels are uint8, not float64"),
        (Standardised((2, 3)), np.zeros((1, 3, 2)), r"each datum must be \(2, 3\), not \(3, 2\)"),
    ],
)
def test_other_data_are_refused(codec: Codec, data: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        codec.encode(data)


def test_moments_that_do_not_fit_the_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="mean has 2 numbers for 3 channels"):
        Standardised((3, 4), mean=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"deviation = .0.0,.: must be a list of entries, each a number above 0"):
        Standardised((1, 4), deviation=(0.0,))


def test_a_codec_is_chosen_with_its_shape_and_scale() -> None:
    codec = Codec.of({"name": "pixels", "stored": [8, 6, 3], "scale": 0.4})
    assert codec == Pixels((8, 6, 3), scale=0.4)
    assert codec.choice == {"name": "pixels", "stored": [8, 6, 3], "scale": 0.4}
    with pytest.raises(ValueError, match="codec 'pixels' needs stored"):
        Codec.of("pixels")


@pytest.mark.parametrize(("numbers", "most"), [(784, 1000), (512 * 512 * 3, 15), (10**9, 1)])
def test_what_is_measured_at_once_takes_little_memory(numbers: int, most: int) -> None:
    parts = chunks(2001, numbers)
    assert np.concatenate(parts).tolist() == list(range(2001))
    assert max(map(len, parts)) == most
