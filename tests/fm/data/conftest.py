"""Real data and a real web server for the tests of fm.data."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fm.data.fashion_mnist import INSTALLED, SUMS
from pipelines.project import cache_dir


@pytest.fixture(scope="session")
def garments() -> Path:
    """A folder with the real four files of Fashion-MNIST."""
    for folder in (INSTALLED, cache_dir() / "downloads" / "fashion-mnist"):
        if all((folder / name).exists() for name in SUMS):
            return folder
    pytest.skip("neither Debian's package dataset-fashion-mnist nor the local cache has Fashion-MNIST's files")


@dataclass
class Site:
    """A web server on this machine.

    Attributes:
        url: its address, with a slash at the end.
        files: path -> body.
        cut: paths whose connection ends after half the body.
        asked: paths asked for, in order.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            served.asked.append(name)
            if name not in served.files:
                self.send_error(404)
                return
            body = served.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if name in served.cut else body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Site(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
