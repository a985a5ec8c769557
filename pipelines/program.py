"""How every command of this package starts and ends."""

import ast
import gc
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from fm.errors import TryLater, UserError
from fm.text.finding import VARIABLE
from pipelines.project import ROOT, cache_dir

PLAIN = {
    "accept": [],
    "codec": [],
    "compare": [],
    "encode": [],
    "estimate": [],
    "evaluate": ["METHOD"],
    "features": [],
    "pairs": ["METHOD"],
    "prepare": [],
    "push": ["STAGE"],
    "register": [],
    "resolve": [],
    "study.report": ["STUDY", "CHECKOUT"],
    "train": ["METHOD"],
}
"""Programs of this package without options, and what they are given. What they do else is in params.yaml."""
HELP = {"-h", "--help"}


TORCHRUN = "TORCHELASTIC_RUN_ID"
WAIT_SECONDS = 20  # the first one does more before it meets the others


def run(main: Callable[[], None]) -> None:
    """Run `main`; an error that the user can mend is its message alone, and exit code 1, or 75 if it is transient."""
    signal.signal(signal.SIGTERM, terminate)
    gc.freeze()  # what was imported stays
    gc.enable()
    try:
        require_arguments()
        keep_encoders_in_cache()
        with warnings_in_a_line():
            main()
    except UserError as error:
        await_the_first()
        print(error, file=sys.stderr)
        sys.exit(os.EX_TEMPFAIL if isinstance(error, TryLater) else 1)
    finally:
        gc.freeze()  # Python's end would look through all that is left, once more


@contextmanager
def warnings_in_a_line() -> Iterator[None]:
    """Our own, of texts that are cut for instance: people need no line of our code for that."""
    usual = warnings.formatwarning

    def told(message: Any, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
        ours = any(Path(filename).is_relative_to(ROOT / package) for package in ("fm", "pipelines"))
        return f"warning: {message}\n" if ours else usual(message, category, filename, lineno, line)

    warnings.formatwarning = told
    try:
        yield
    finally:
        warnings.formatwarning = usual


def import_without_collecting() -> None:
    """Let a plain program's imports look for no garbage until it runs: they make a million objects that stay, and
    looking through them time and again takes a quarter of the time."""
    if program_started() in PLAIN:
        gc.disable()


def keep_encoders_in_cache() -> None:
    """Text encoders are fetched to where all downloads lie, unless the environment says where."""
    if VARIABLE not in os.environ:
        with suppress(UserError):  # a cache that cannot be written to: only who needs it says so
            os.environ[VARIABLE] = str(cache_dir() / "encoders")


def await_the_first() -> None:
    """Of the processes that torchrun has started on a machine, let the first one tell what all of them find: torchrun
    ends the others within a second of it, and what one alone has found is told later."""
    if TORCHRUN in os.environ and int(os.environ["LOCAL_RANK"]) > 0:
        time.sleep(WAIT_SECONDS)


def terminate(number: int, _: object) -> NoReturn:
    """Leave as Python leaves, so that contexts end what they began: half-written outputs, MLflow runs, the slot."""
    sys.exit(128 + number)


def answer_help() -> None:
    """Explain a plain program and exit, if that is what was asked of it. It has not been imported yet: PyTorch, which
    it imports first, takes seconds."""
    name = program_started()
    if name in PLAIN and HELP & set(sys.argv[1:]):
        file = Path(__file__).parent.joinpath(*name.split(".")).with_suffix(".py")
        about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        print(f"usage: {usage(name)}\n\n{about}\n\nIts settings are in params.yaml.")
        sys.exit()


def program_started() -> str | None:
    """Of this package, as `python -m` has it, while that is still being imported."""
    if sys.argv[:1] != ["-m"]:
        return None
    given = (name for flag, name in pairwise(sys.orig_argv) if re.fullmatch("-[A-Za-z]*m", flag))
    package, _, program = next(given, "").partition(".")
    return program if package == "pipelines" else None


def require_arguments() -> None:
    """Raise UserError where a plain program is given more or less than it takes."""
    file = Path(sys.argv[0]).with_suffix("")
    name = next((name for name in PLAIN if file.parts[-2:] == ("pipelines", *name.split("."))[-2:]), None)
    if name is not None and len(sys.argv) - 1 != len(PLAIN[name]):
        raise UserError(f"usage: {usage(name)}")


def usage(name: str) -> str:
    return " ".join(["python -m", f"pipelines.{name}", *PLAIN[name]])
