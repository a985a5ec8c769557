"""Processes that share work; what an evaluation makes of them is in test_evaluation."""

import multiprocessing
import threading
from collections.abc import Callable

import numpy as np
import pytest
from torch.distributed import HashStore

from fm import work_queue
from fm.work_queue import Arrays, Group, Workers, WorkFailed, started


def in_threads(count: int, work: Callable[[Workers], None]) -> None:
    """Threads stand for processes: nothing is shared but the store, and that is the one that processes use."""
    store = HashStore()
    others = [threading.Thread(target=work, args=(Group(store, rank),)) for rank in range(count)]
    for each in others:
        each.start()
    for each in others:
        each.join()


def test_whoever_is_done_takes_the_next() -> None:
    """While the first is busy with one piece, the others do all that is left; it gets everything, in order."""
    count = 70
    by_first: list[int] = []
    by_others: list[int] = []
    rest_is_done = threading.Event()
    found: list[list[Arrays]] = []

    def work(workers: Workers) -> None:
        def piece(number: int) -> Arrays:
            if workers.is_first:
                by_first.append(number)
                assert rest_is_done.wait(10)
            else:
                by_others.append(number)
                if len(by_others) >= count - 1:
                    rest_is_done.set()
            return {"square": np.array(number**2)}

        found.append(workers.map(piece, range(count)))

    in_threads(3, work)
    assert len(by_first) <= 1
    assert sorted(by_first + by_others) == list(range(count))
    assert sorted(map(len, found)) == [0, 0, count]
    assert [int(one["square"]) for one in max(found, key=len)] == [number**2 for number in range(count)]


def test_nobody_waits_for_the_first_before_the_next_work_is_begun() -> None:
    """Which measures meanwhile."""
    second_is_begun = threading.Event()
    seen: list[bool] = []

    def second(_: int) -> Arrays:
        second_is_begun.set()
        return {}

    def work(workers: Workers) -> None:
        workers.map(lambda _: {}, [0])
        if workers.is_first:
            seen.append(second_is_begun.wait(10))
        workers.map(second, [0])

    in_threads(2, work)
    assert seen == [True]


def test_what_is_large_travels_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue, "PART", 100)
    content = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
    (found,) = Group(HashStore(), 0).map(lambda _: {"a": content, "b": content[:2]}, [0])
    assert np.array_equal(found["a"], content)
    assert np.array_equal(found["b"], content[:2])


def test_all_agree_on_what_the_first_says() -> None:
    said = []
    in_threads(3, lambda workers: said.append(workers.agree(7 if workers.is_first else 0)))
    assert said == [7, 7, 7]


def test_what_fails_elsewhere_fails_for_the_first_too() -> None:
    said: list[str] = []

    def refuse(number: int) -> Arrays:
        raise ValueError(f"piece {number} cannot be done")

    def work(workers: Workers) -> None:
        try:
            workers.map(refuse, [0, 1])
        except (ValueError, WorkFailed) as error:
            said.append(f"{type(error).__name__}: {error}")

    in_threads(2, work)
    assert "ValueError: piece 1 cannot be done" in said
    assert {"ValueError: piece 0 cannot be done", "WorkFailed: piece 0 cannot be done"} & set(said)


def fail(workers: Workers) -> None:
    raise ValueError("no such thing")


def test_a_process_that_ends_too_early_is_not_waited_for() -> None:
    with pytest.raises(WorkFailed, match="no such thing"), started(2, fail) as workers:
        workers.map(lambda _: {}, range(3))
    assert not multiprocessing.active_children()
