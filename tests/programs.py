"""Programs of ours, run in the process of the tests: what one imports takes longer than what it does there."""

import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

from pipelines import program
from pipelines.project import cache_dir


def run(main: Callable[[], None], folder: Path, *arguments: str, **environment: str) -> CompletedProcess[str]:
    """What `python -m` with the module of `main` does in a folder, with more in its environment: exit code and what is
    told, mistakes as a command tells them. What its children tell is not in it."""
    command = [main.__code__.co_filename, *arguments]
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        chdir(folder),
        patch.dict(os.environ, environment),  # what the program sets goes too
        patch.object(sys, "argv", command),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        before = signal.getsignal(signal.SIGTERM)
        cache_dir.cache_clear()
        try:
            program.run(main)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            signal.signal(signal.SIGTERM, before)
            cache_dir.cache_clear()
    return CompletedProcess(command, code, stdout.getvalue(), stderr.getvalue())
