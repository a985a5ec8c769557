"""How a flow is run here and now, from a command line."""

import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from prefect.client.schemas.objects import State

from fm.errors import UserError


def run(start: Callable[[], State[Any]], told: Callable[[State[Any]], str]) -> int:
    """Run a flow and print what came of it; an error that the user can mend is its message alone.

    Args:
        start: checks what it is given, starts the flow and returns its final state.
        told: what to print of a completed one.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGTERM, terminate)
    try:
        state = start()
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    if not state.is_completed():
        print(f"\n{state.result(raise_on_failure=False)}", file=sys.stderr)
        return 1
    print(f"\n{told(state)}")
    return 0


def terminate(number: int, _: object) -> NoReturn:
    """Leave as Python leaves, so that contexts end what they began."""
    sys.exit(128 + number)
