"""How a flow is run here and now, from a command line. Without Prefect: what is refused is refused at once."""

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from flows.mistakes import Explained
from fm.errors import UserError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


def run(start: Callable[[], str]) -> int:
    """Run something and print what came of it; a failure that is explained is its message alone.

    Args:
        start: checks what it is given, does it, and returns what is to be said of it.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGTERM, terminate)
    try:
        told = start()
    except (UserError, Explained) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    print(f"\n{told}")
    return 0


def completed(state: "State[Any]") -> "State[Any]":
    """The final state of a flow run, which has to be a good one. Raises Explained."""
    if not state.is_completed():
        raise Explained(f"\n{state.result(raise_on_failure=False)}")
    return state


def terminate(number: int, _: object) -> NoReturn:
    """Leave as Python leaves, so that contexts end what they began."""
    sys.exit(128 + number)
