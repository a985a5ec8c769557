"""Work that several processes share: each takes the next piece when it has done its last, so that none waits for a
slower one, and the first of them gets all that comes of it.

What comes of a piece must not depend on who does it. It travels as arrays, never as code: the processes of a group
trust each other, but anyone on the machine could write to the port that they meet at.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import distributed
from torch.multiprocessing.spawn import ProcessException, spawn

from fm.errors import UserError

Item = TypeVar("Item")
Arrays = Mapping[str, NDArray[Any]]

LOOPBACK = "127.0.0.1"
PATIENCE = timedelta(seconds=5)  # between looks whether those that are waited for are still there
START = timedelta(minutes=10)  # until all processes have come
PART = 2**22  # bytes; torch's store takes 8 MiB at once
FAILED = "failed"


class WorkFailed(UserError):
    """Another process has failed with a piece of the work; the message says how."""


class Workers:
    """This process alone, as if it were one of several.

    Attributes:
        is_first: whether this is the process that gets what comes of the work.
        place: of this process among those of its machine, from 0: which device it has.

    >>> [one["double"].item() for one in Workers().map(lambda number: {"double": np.array(2 * number)}, [1, 2, 3])]
    [2, 4, 6]
    """

    is_first = True
    place = 0

    def map(self, function: Callable[[Item], Arrays], items: Sequence[Item]) -> list[Arrays]:
        """`function` of each item, in their order; nothing on any process but the first.

        Every process of a group must call it with the same, and as often.
        """
        return [function(item) for item in items]

    def agree(self, number: int) -> int:
        """What the first process says, on all of them."""
        return number


ALONE = Workers()


class Store(Protocol):
    """What a store of torch.distributed can do, as far as it is needed here.

    >>> store = distributed.HashStore()
    >>> store.add("taken", 1), store.add("taken", 1)
    (1, 2)
    """

    def add(self, key: str, value: int, /) -> int: ...

    def set(self, key: str, value: str, /) -> None: ...

    def get(self, key: str, /) -> bytes: ...

    def wait(self, keys: list[str], timeout: timedelta, /) -> None: ...

    def delete_key(self, key: str, /) -> bool: ...


class Group(Workers):
    """One of several processes that meet at a store.

    Args:
        rank: among all; 0 is the first.
        watch: raises if one of the others is gone; called while it is waited for.

    >>> group = Group(distributed.HashStore(), rank=0)
    >>> [one["double"].item() for one in group.map(lambda number: {"double": np.array(2 * number)}, [1, 2, 3])]
    [2, 4, 6]
    """

    def __init__(self, store: Store, rank: int, place: int = 0, watch: Callable[[], object] = lambda: None) -> None:
        self.store = store
        self.is_first = rank == 0
        self.place = place
        self.watch = watch
        self.calls = 0

    def map(self, function: Callable[[Item], Arrays], items: Sequence[Item]) -> list[Arrays]:
        name = self._next()
        while (number := self.store.add(f"{name}/taken", 1) - 1) < len(items):
            try:
                made = function(items[number])
            except Exception as error:
                said = (str(error) or type(error).__name__).encode()
                self._put(f"{name}/{number}", {FAILED: np.frombuffer(said, np.uint8)})
                raise
            self._put(f"{name}/{number}", made)
        return [self._take(f"{name}/{number}") for number in range(len(items))] if self.is_first else []

    def agree(self, number: int) -> int:
        name = self._next()
        if self.is_first:
            self.store.set(name, str(number))
        self._wait(name)
        return int(self.store.get(name))

    def _next(self) -> str:
        """A name that all processes give to what they do together now."""
        self.calls += 1
        return f"{self.calls}"

    def _put(self, name: str, arrays: Arrays) -> None:
        content = save({key: np.asarray(array, order="C") for key, array in arrays.items()})
        starts = range(0, len(content), PART)
        for part, start in enumerate(starts):
            self.store.set(f"{name}/{part}", content[start : start + PART])  # type: ignore[arg-type]
        self.store.set(name, str(len(starts)))  # the last of them: who sees it finds the others

    def _take(self, name: str) -> Arrays:
        self._wait(name)
        parts = [f"{name}/{part}" for part in range(int(self.store.get(name)))]
        content = b"".join(self.store.get(part) for part in parts)
        for part in (name, *parts):
            self.store.delete_key(part)
        made = load(content)
        if FAILED in made:
            raise WorkFailed(made[FAILED].tobytes().decode())
        return made

    def _wait(self, name: str) -> None:
        while True:
            try:
                self.store.wait([name], PATIENCE)
                return
            except distributed.DistStoreError:
                self.watch()


@contextmanager
def started(count: int, work: Callable[..., None], *arguments: Any) -> Iterator[Workers]:
    """This process as the first of `count` on this machine; the others run work(workers, *arguments) meanwhile.

    They end with it, whatever becomes of it.

    Args:
        work: of a module's top level, as are the arguments' classes.

    Raises:
        WorkFailed: one of the others has failed; it has said how on standard error.
    """
    if count == 1:
        yield ALONE
        return
    listener = socket.create_server((LOOPBACK, 0))  # torch's own would listen to other machines too
    port = listener.getsockname()[1]
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
    )
    others = spawn(_work, (port, work, arguments), nprocs=count - 1, join=False)  # type: ignore[no-untyped-call]

    def watch(seconds: float | None = 0) -> bool:
        try:
            return bool(others.join(seconds))
        except ProcessException as error:
            raise WorkFailed(f"one of {count} processes that share the work has failed: {error}") from None

    try:
        yield Group(store, 0, watch=watch)
        while not watch(None):
            pass
    finally:
        for process in others.processes:
            process.kill()
            process.join()


def _work(index: int, port: int, work: Callable[..., None], arguments: Sequence[Any]) -> None:
    store = distributed.TCPStore(LOOPBACK, port, is_master=False, timeout=START)  # type: ignore[attr-defined]
    work(Group(store, index + 1, index + 1), *arguments)


def by_torchrun() -> Workers | None:
    """This process as one of those that torchrun has started, on one machine or several; none where it has not."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    from torch.distributed.rendezvous import rendezvous

    store, rank, _ = next(rendezvous("env://", timeout=START))
    own = distributed.PrefixStore("work", store)  # type: ignore[attr-defined]
    return Group(own, rank, int(os.environ["LOCAL_RANK"]))
