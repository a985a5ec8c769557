import os
import signal
import subprocess
import sys

import psutil
import pytest

from pipelines.project import ROOT
from tests.flows.test_processes import all_end

PARENT = """
import os, sys, time
from flows.server import start
server = start([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)"], os.environ, stdout=None)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "SIGTERM"])
def test_a_server_ends_with_the_run_that_started_it(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, env=os.environ, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"1\n"
        family = psutil.Process(run.pid).children(recursive=True)
        assert len(family) == 2  # the server, and what watches over it
        run.send_signal(number)
    assert all_end(family)


def test_what_watches_over_a_server_ends_with_it_and_says_nothing() -> None:
    command = [sys.executable, str(ROOT / "flows/with_parent.py"), sys.executable, "-c", "raise SystemExit(3)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as watcher:
        assert watcher.wait(60) == 3
        assert watcher.stderr is not None
        assert watcher.stderr.read() == b""


def test_a_run_s_own_server_lets_nobody_else_in(prefect_server: None) -> None:
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    from flows.server import ServerError, require_login

    url = str(PREFECT_API_URL.value())
    require_login(url)
    for stranger in (None, "admin:guessed"):
        with (
            temporary_settings({PREFECT_API_AUTH_STRING: stranger}),
            pytest.raises(ServerError, match="which asks for a login: set PREFECT_API_AUTH_STRING"),
        ):
            require_login(url)
