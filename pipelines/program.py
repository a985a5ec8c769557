"""How every command of this package starts and ends."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from fm.errors import TryLater, UserError


def run(main: Callable[[], None]) -> None:
    """Run `main`; an error that the user can mend is its message alone, and exit code 1, or 75 if it can pass."""
    signal.signal(signal.SIGTERM, terminate)
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_TEMPFAIL if isinstance(error, TryLater) else 1)


def terminate(number: int, _: object) -> NoReturn:
    """Leave as Python leaves, so that contexts end what they began: half-written outputs, MLflow runs, the slot."""
    sys.exit(128 + number)


def method_argument() -> str:
    """The one argument of a stage that is run for each method. Raises UserError when there is not exactly one."""
    if len(sys.argv) != 2:
        raise UserError(
            f"usage: python -m pipelines.{Path(sys.argv[0]).stem} <method>, a key of methods in params.yaml"
        )
    return sys.argv[1]
