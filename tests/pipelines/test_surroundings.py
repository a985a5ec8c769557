"""What our programs find around them, in processes of their own: libraries read it when they are imported."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipelines.project import ROOT

SHOW = "import json, os, pipelines; print(json.dumps(dict(os.environ)))"


def seen(code: str = SHOW, without: tuple[str, ...] = (), **given: str) -> dict[str, str]:
    """The environment in which code of ours runs, started with these variables."""
    variables = {name: value for name, value in os.environ.items() if name not in without} | given
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, check=True)
    return dict(json.loads(done.stdout))


WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def test_threads_wait_without_spinning_unless_the_user_says_otherwise() -> None:
    import fm

    assert seen(without=WAITING).items() >= fm.WAITING.items()
    assert seen(without=WAITING, OMP_WAIT_POLICY="ACTIVE")["OMP_WAIT_POLICY"] == "ACTIVE"
    assert "OMP_WAIT_POLICY" not in seen(without=WAITING, GOMP_SPINCOUNT="5")


@pytest.mark.parametrize("module", ["fm.devices", "pipelines.demo"])
def test_openmp_has_read_it_by_whatever_way_torch_comes_in(module: str) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in WAITING}
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=ROOT, env=variables | {"OMP_DISPLAY_ENV": "verbose"}, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers everything with 502, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


# Each kind of client that we or what we start uses: ours, Prefect's, MLflow's, S3's.
ASK = """
import sys, pipelines
from contextlib import suppress
import urllib.request, httpx, requests, botocore.httpsession, botocore.awsrequest, botocore.utils
def by_botocore(url):
    proxies = botocore.utils.get_environ_proxies(url)
    botocore.httpsession.URLLib3Session(proxies=proxies).send(botocore.awsrequest.AWSRequest("GET", url).prepare())
for url in sys.argv[1:]:
    for ask in (urllib.request.urlopen, httpx.get, requests.get, by_botocore):
        with suppress(Exception):
            ask(url)
"""
PROXY_VARIABLES = ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def test_loopback_goes_through_no_proxy_and_others_do(proxy: tuple[str, list[str]]) -> None:
    address, asked = proxy
    variables = {name: value for name, value in os.environ.items() if name not in PROXY_VARIABLES}
    own = ["http://127.0.0.1:9/", "http://localhost:9/", "http://in.house.example/"]
    subprocess.run(
        [sys.executable, "-c", ASK, *own, "http://elsewhere.example/"],
        cwd=ROOT, env=variables | {"http_proxy": address, "no_proxy": "in.house.example"}, check=True,
    )  # fmt: skip
    assert asked == ["http://elsewhere.example/"] * 4


def test_a_socks_proxy_is_no_reason_not_to_ask_this_machine() -> None:
    """httpx, and so Prefect's client, makes what it needs for a proxy before it knows whom it is to ask."""
    seen("import pipelines, httpx; httpx.Client(); print('{}')", ALL_PROXY="socks5://127.0.0.1:9")


def test_what_the_user_spares_from_the_proxy_stays_so() -> None:
    spared = seen(without=PROXY_VARIABLES, NO_PROXY="a.example, b.example")
    assert spared["no_proxy"] == spared["NO_PROXY"] == "a.example,b.example,localhost,127.0.0.1,::1"
    assert seen(without=PROXY_VARIABLES, no_proxy="*")["no_proxy"] == "*"


def test_a_hook_s_repository_is_not_taken_for_ours(tmp_path: Path) -> None:
    """Git sets the variables that it lists so for hooks and for `rebase --exec`."""
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, check=True).stdout
    variables = [name for name in listed.decode().split() if not name.startswith("GIT_CONFIG")]
    assert "GIT_DIR" in variables
    assert not seen(**{name: str(tmp_path) for name in variables}).keys() & set(variables)


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_a_user_id_without_a_name_gets_one() -> None:
    become = "import json, os; from pipelines.surroundings import give_a_name; os.setuid(23456); give_a_name()"
    given = seen(f"{become}; print(json.dumps(dict(os.environ)))", without=("LOGNAME", "USER", "LNAME", "USERNAME"))
    assert given["USER"] == "user-23456"


def test_what_the_terminal_cannot_show_is_printed_all_the_same() -> None:
    code = "import pipelines; print('4.89 \u2192 3.92, gro\u00df')"
    variables = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, check=True)
    assert done.stdout.decode("latin-1").strip() == "4.89 ? 3.92, gro\u00df"
