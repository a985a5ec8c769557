import torch
from torch.utils.data import DataLoader

from fm.batches import Batch, Batches
from fm.noise import Purpose
from fm.training_data import From
from tests.fm.test_batches import EXAMPLES, budget


def test_sampler_starts_late_and_counts_from_zero() -> None:
    assert list(From(3, 6)) == [3, 4, 5]
    assert len(From(3, 6)) == 6


def test_a_process_that_prepares_batches_draws_their_noise_too() -> None:
    """The same bits, but drawn while the device has something else to do."""
    here = Batches(EXAMPLES, budget())
    # A process of its own and no fork: what else this one has open, such as pytest-xdist's channels, does not end well.
    prepared: DataLoader[Batch] = DataLoader(
        here, batch_size=None, sampler=From(3, 5), num_workers=1, multiprocessing_context="spawn"
    )
    for step, batch in zip((3, 4), prepared, strict=True):
        assert torch.equal(batch.data, here[step].data)
        assert torch.equal(batch.given["label"], here[step].given["label"])
        drawn = batch.noise()
        assert drawn.data_ptr() == batch.noise().data_ptr()  # not anew
        assert torch.equal(drawn, here[step].noise())
        assert torch.equal(batch.draws.stratified(Purpose.TIME), here[step].draws.stratified(Purpose.TIME))
