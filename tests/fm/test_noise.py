import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fm import noise


@given(seed=st.integers(0, 2**63 - 1), index=st.integers(0, 2**40), count=st.integers(1, 20))
@settings(deadline=None, max_examples=30)
def test_a_samples_noise_does_not_depend_on_its_neighbours(seed: int, index: int, count: int) -> None:
    together = noise.normal(noise.streams(seed, index, count), (1, 3, 3))
    alone = noise.normal([noise.stream(seed, index + count - 1)], (1, 3, 3))
    assert torch.equal(together[-1:], alone)


def test_streams_differ_and_are_standard_normal() -> None:
    values = noise.normal(noise.streams(0, 0, 500), (100,))
    assert abs(float(values.mean())) < 0.02
    assert abs(float(values.std()) - 1) < 0.02
    assert abs(float(torch.corrcoef(values[:2])[0, 1])) < 0.4
    assert not torch.equal(values, noise.normal(noise.streams(1, 0, 500), (100,)))


def test_a_stream_goes_on() -> None:
    streams = noise.streams(0, 0, 2)
    assert not torch.equal(noise.normal(streams, (4,)), noise.normal(streams, (4,)))
