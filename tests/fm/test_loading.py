import pytest
import torch
from torch.utils.data import DataLoader

from fm import loading
from fm.batches import Batches, Fetched
from fm.couplings import OptimalTransport
from fm.errors import UserError
from fm.loading import Fetching, From, arrived, loader, workers_for
from fm.noise import Purpose
from tests.fm.test_batches import EXAMPLES, budget


def test_sampler_starts_late_and_counts_from_zero() -> None:
    assert list(From(3, 6)) == [3, 4, 5]
    assert len(From(3, 6)) == 6


class Lost(Batches):
    """Whose step 7 is lost."""

    def fetch(self, step: int) -> Fetched:
        if step == 7:
            raise UserError("the shard is missing")
        return super().fetch(step)


def test_what_processes_of_their_own_fetch_makes_the_same_batches() -> None:
    """In their order, with the pairs found there; an error is told in its own words, without a traceback."""
    here = Lost(EXAMPLES, budget(), pairing=OptimalTransport())
    # A process of its own and no fork: what else this one has open, such as pytest-xdist's channels, does not end well.
    fetching: DataLoader[Fetched | UserError] = DataLoader(
        Fetching(here), batch_size=None, sampler=From(3, 8), num_workers=2, multiprocessing_context="spawn"
    )
    *there, lost = fetching
    with pytest.raises(UserError, match=r"^the shard is missing$"):
        arrived(lost)
    for step, fetched in zip(range(3, 7), map(arrived, there), strict=True):
        batch = here.finish(fetched)
        assert torch.equal(batch.data, here[step].data)
        assert torch.equal(batch.given["label"], here[step].given["label"])
        assert torch.equal(fetched.pairs, here.fetch(step).pairs)
        assert torch.equal(batch.noise(), here[step].noise())
        assert torch.equal(batch.draws.stratified(Purpose.TIME), here[step].draws.stratified(Purpose.TIME))


def test_a_cpu_is_left_to_the_training_and_a_gpu_is_given_the_cores_of_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading.os, "sched_getaffinity", lambda process: set(range(32)), raising=False)
    assert workers_for(torch.device("cpu")) == 0
    assert [workers_for(torch.device("cuda"), sharing) for sharing in (1, 8, 32)] == [8, 3, 1]


def test_the_loader_goes_on_where_it_is_told_to() -> None:
    batches = Batches(EXAMPLES, budget())
    steps = [arrived(fetched).draws.positions[0] // 16 for fetched in loader(batches, 22, torch.device("cpu"), 0)]
    assert steps == [22, 23, 24]
