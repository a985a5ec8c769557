"""The Prefect API that a run reports to."""

import atexit
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.settings.legacy import Setting

from fm.errors import UserError
from pipelines.records.logins import basic

START_SECONDS = 120  # the first start creates the database
STOP_SECONDS = 10


class ServerError(UserError):
    """There is no Prefect API to report to."""


def use_api() -> None:
    """Report to the server that PREFECT_API_URL names, or to one that lasts as long as this process.

    Prefect would start one by itself, but in our process group: Ctrl-C would end it together with the
    run, which then could not report its end and would try for more than a minute.

    Raises:
        ServerError: nothing answers.
    """
    if url := PREFECT_API_URL.value():
        if not answers(url):
            raise ServerError(f"PREFECT_API_URL is {url}, and nothing answers there: start that server, or unset it")
        require_login(url)
        return
    stack = ExitStack()
    # Registered before Prefect's own, so called after them: they still send what is left of the log.
    atexit.register(stack.close)
    stack.enter_context(temporary_settings(stack.enter_context(temporary_server())))


@contextmanager
def temporary_server() -> Iterator[dict[Setting, str]]:
    """A server on the database in PREFECT_HOME, seen from this machine only and by nobody else there: the settings by
    which this process finds it and is let in."""
    port = free_port()
    url, login = f"http://127.0.0.1:{port}/api", f"admin:{secrets.token_hex(24)}"
    command = [str(Path(sys.executable).parent / "prefect"), "server", "start"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR", "--no-ui"]
    known = {"PREFECT_API_URL": url, "PREFECT_SERVER_API_AUTH_STRING": login}
    process = start(command + options, {**os.environ, **known})
    try:
        wait_until_up(process, url)
        yield {PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: login}
    finally:
        end(process)


def start(
    command: list[str], environment: Mapping[str, str], stdout: int | None = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a command in a group of its own, which Ctrl-C does not reach, that yet does not outlive this process."""
    return subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("with_parent.py")), *command],
        stdin=subprocess.PIPE,  # closed by the system when this process is gone
        stdout=stdout,
        env=environment,
        start_new_session=True,
    )


def wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(url):
        if process.poll() is not None:
            raise ServerError(f"the temporary Prefect server ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise ServerError(f"the temporary Prefect server did not answer within {START_SECONDS} s")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/health", timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def require_login(url: str) -> None:
    """Raises ServerError where the server wants another login than PREFECT_API_AUTH_STRING."""
    login = basic(PREFECT_API_AUTH_STRING.value() or "")
    try:
        with urlopen(Request(f"{url}/admin/version", headers=login), timeout=5):
            pass
    except HTTPError as error:
        if error.code == 401:
            raise ServerError(
                f"PREFECT_API_URL is {url}, which asks for a login: set PREFECT_API_AUTH_STRING, as .env does"
            ) from None
    except (URLError, OSError):
        pass


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
