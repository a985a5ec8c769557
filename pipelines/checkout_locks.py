"""Who works in a checkout: stages share it, and settings are written by a program only while no stage runs there.

The locks are the operating system's, so what is killed gives them back.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fm.errors import UserError

FOLDER = Path(".dvc/tmp")
STAGES, RUN = FOLDER / "stages.lock", FOLDER / "run.lock"


class CheckoutBusy(UserError):
    """Somebody works in the checkout; the message says who, and that nothing was written."""


@contextmanager
def working(root: Path) -> Iterator[None]:
    """Held by a stage while it runs, whoever started it; any number may. Waits while settings are being written."""
    with locked(root / STAGES, fcntl.LOCK_SH):
        yield


@contextmanager
def settings_free(root: Path) -> Iterator[None]:
    """Held while a program writes params.yaml: no stage is running, and none begins.

    Raises:
        CheckoutBusy: a stage is running.
    """
    busy = (
        f"{root}: a stage is running here, and its settings cannot change meanwhile: params.yaml is as it was; "
        "wait for its end, or stop it"
    )
    with alone(root / STAGES, busy):
        yield


@contextmanager
def running_here(root: Path) -> Iterator[None]:
    """Held by a pipeline run as long as it lasts, from before it writes params.yaml.

    Raises:
        CheckoutBusy: another run works here.
    """
    busy = (
        f"{root}: another pipeline run works here, so nothing was started and params.yaml is as it was; "
        "wait for its end, or stop it, or give a revision: such a run has a checkout of its own"
    )
    with alone(root / RUN, busy):
        yield


@contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock that nobody else holds. Raises CheckoutBusy, which says `busy`."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            raise CheckoutBusy(busy) from None
        yield  # outside of `try`: what happens meanwhile can raise that too


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Hold a lock by a file. Raises BlockingIOError where it is not to be waited for and not to be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, how)
        yield
