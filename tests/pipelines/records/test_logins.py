"""What is said where a service asks for a login, by a server that does."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag

from fm.errors import UserError
from pipelines.lineage import links
from pipelines.lineage.traced import Traced
from pipelines.records import mlflow_store
from pipelines.registry import versions

LOGIN = "Basic YWRtaW46c2VjcmV0"  # admin:secret
RUN = "a-run"


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path.endswith(f"/flow_runs/{RUN}")
        status = 401 if self.headers["Authorization"] != LOGIN else 200 if known else 404
        self.send_response(status)
        self.end_headers()
        if status == 200:
            self.wfile.write(b'{"name": "swift-owl", "state_name": "Completed"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        monkeypatch.setenv("PREFECT_API_URL", f"{url}/api")
        for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "PREFECT_API_AUTH_STRING"):
            monkeypatch.delenv(name, raising=False)
        yield url
        server.shutdown()


def test_a_store_that_asks_for_a_login_is_one_line(server: str) -> None:
    wanted = f"MLFLOW_TRACKING_URI is {server}, which asks for a login: set MLFLOW_TRACKING_USERNAME"
    with pytest.raises(UserError, match=wanted):
        mlflow_store.experiment_id("digits")
    with pytest.raises(UserError, match=wanted), versions.asking():
        versions.find_version("digits-generator", "1")


def flow_run(name: str) -> str:
    version = ModelVersion("tiny", "1", 0, tags=[ModelVersionTag("prefect.flow_run_id", name)])
    return links.flow_run(Traced(Path(), version, None, None, None)).state


def test_a_prefect_run_is_missing_only_where_prefect_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert flow_run(RUN) == "unknown"
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:secret")
    assert (flow_run(RUN), flow_run("another"), flow_run(f"../flow_runs/{RUN}")) == ("ok", "missing", "missing")
