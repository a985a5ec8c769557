"""Whether the services let us in, and Prefect hears of a worker, by an API that says what it is told to."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest

from infra.services import health

LOGIN = "Basic YWRtaW46c2VjcmV0"  # admin:secret
ASKED: list[Any] = []
OURS, OTHERS, GONE = (
    {"name": "ours", "status": "ONLINE"},
    {"name": "another machine's", "status": "ONLINE"},
    {"name": "ours", "status": "OFFLINE"},
)


class Answering(BaseHTTPRequestHandler):
    workers: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.send_response(200 if self.headers["Authorization"] == LOGIN else 401)
        self.end_headers()

    def do_POST(self) -> None:
        ASKED.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200 if self.headers["Authorization"] == LOGIN else 401)
        self.end_headers()
        self.wfile.write(json.dumps(self.workers).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("workers", "heard"), [([OTHERS, OURS], True), ([OTHERS], False), ([GONE], False), ([], False)]
)
def test_another_s_worker_or_one_that_is_gone_is_not_ours(
    api: str, monkeypatch: pytest.MonkeyPatch, workers: list[dict[str, str]], heard: bool
) -> None:
    monkeypatch.setattr(Answering, "workers", workers)
    since = datetime(2026, 1, 2, tzinfo=UTC)
    assert health.hears_of(settings_for(api), "ours", since) is heard
    assert ASKED[-1] == {"workers": {"last_heartbeat_time": {"after_": "2026-01-02T00:00:00+00:00"}}}


def test_where_nothing_listens_nothing_is_heard() -> None:
    assert health.hears_of(settings_for("http://127.0.0.1:9"), "ours", datetime.now(UTC)) is False


@pytest.mark.parametrize(("service", "setting"), [("mlflow", "MLFLOW_AUTH_ADMIN_PASSWORD"),
                                                  ("prefect", "PREFECT_ADMIN_PASSWORD")])  # fmt: skip
def test_a_service_that_knows_another_password_is_not_waited_for(api: str, service: str, setting: str) -> None:
    known = settings_for(api)
    assert health.CHECKS[service](known)
    wrong = known | {"PREFECT_API_AUTH_STRING": "admin:old", "MLFLOW_TRACKING_PASSWORD": "old"}
    with pytest.raises(health.NotHealthy, match=rf"\.env: {setting}: is not the password"):
        health.CHECKS[service](wrong)


def settings_for(api: str) -> dict[str, str]:
    return {
        "PREFECT_API_URL": api,
        "PREFECT_API_AUTH_STRING": "admin:secret",
        "MLFLOW_TRACKING_URI": api,
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_PASSWORD": "secret",
    }
