"""Work that is done while a training goes on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Background:
    """One piece of work at a time, in a thread of its own.

    >>> done = []
    >>> background = Background()
    >>> background.start(lambda: done.append("saved"))
    >>> background.wait()
    >>> done
    ['saved']
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
        self._running: Future[Any] | None = None

    def start(self, work: Callable[[], Any]) -> None:
        """Once what is under way is done. Raises what that raised."""
        self.wait()
        self._running = self._thread.submit(work)

    def wait(self) -> None:
        """Until nothing is under way. Raises what the last piece of work raised, once."""
        running, self._running = self._running, None
        if running is not None:
            running.result()
