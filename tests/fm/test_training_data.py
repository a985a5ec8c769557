from fm.training_data import From


def test_sampler_starts_late_and_counts_from_zero() -> None:
    assert list(From(3, 6)) == [3, 4, 5]
    assert len(From(3, 6)) == 6
