"""A registered model's answers over HTTP, by `mlflow models serve` as the README has it."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from PIL import Image

from pipelines import served_model
from pipelines.project import ROOT
from tests.fm.conftest import tiny_generator

Ask = Callable[[Any], tuple[int, Any]]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Send a body to the server; status and what came back."""
    folder = tmp_path_factory.mktemp("served")
    tiny_generator().save(folder / "generator")
    mlflow.pyfunc.save_model(
        folder / "model",
        python_model=str(ROOT / "pipelines" / "served_model.py"),
        artifacts={served_model.GENERATOR: str(folder / "generator")},
        code_paths=[str(ROOT / "fm")],
        signature=served_model.signature(1, 8),
        pip_requirements=["mlflow"],
    )
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "model"), "--env-manager", "local"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            # MLflow starts uvicorn by its name: `make serve` sets the path too.
            env=os.environ
            | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_up(server, port, folder / "log")
        yield lambda body: post(f"http://127.0.0.1:{port}/invocations", body)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


def post(url: str, body: Any) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def records(*rows: dict[str, Any], **params: Any) -> dict[str, Any]:
    return {"dataframe_records": list(rows), "params": params}


def test_png_files_of_a_label(ask: Ask) -> None:
    status, answer = ask(records({}, label="7", num_samples=3, seed=4, steps=2, guidance=2.0, format="png"))
    assert status == 200, answer
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(file)))) for file in answer["predictions"]]
    expected = tiny_generator().sample(3, 4, [7] * 3, steps=2, guidance=2.0)
    assert np.array_equal(np.stack(images)[..., np.newaxis], expected)


@pytest.mark.parametrize("label", ["7", 7])
def test_arrays_of_each_row(ask: Ask, label: object) -> None:
    status, answer = ask(records({"label": label}, {"label": label}, num_samples=2))
    assert status == 200, answer
    assert np.array_equal(np.array(answer["predictions"]), tiny_generator().sample(4, 0, [7] * 4))


def test_the_shortest_request(ask: Ask) -> None:
    status, answer = ask({"dataframe_records": [{}]})
    assert status == 200, answer
    assert np.array_equal(np.array(answer["predictions"]), tiny_generator().sample(1, 0))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (records({}, num_samples=1.5), "1.5"),
        (records({}, num_samples=1_000_000), "from 1 to 1000, not 1000000"),
        (records(*[{"label": 1}] * 11, num_samples=100), "11 rows of 100 images are too many"),
        (records({}, num_samples="many"), "num_samples"),
        (records({}, num_samples=[1]), "num_samples"),
        (records({}, seed=-1), "seed must be a whole number from 0"),
        (records({}, seed=2**80), "seed"),
        (records({}, steps=0), "steps must be a whole number from 1 to 1000, not 0"),
        (records({}, guidance=-2.0), "guidance must be a number above 0"),
        (records({}, guidance="strong"), "guidance"),
        (records({}, format="gif"), "format must be array or png, not 'gif'"),
        (records({}, label="dog"), "no label 'dog'; the labels are 0 (0), 1 (1)"),
        (records({"label": 12}), "no label '12'; the labels are 0 (0)"),
        (records({"label": ["7"]}), "no label"),
        ({"params": {"num_samples": 1}}, "dataframe_records"),
        (b"{not json", "JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_request_is_told_what_is_wrong(ask: Ask, body: Any, message: str) -> None:
    status, answer = ask(body)
    assert status == 400, answer
    assert message in json.loads(answer)["message"]
