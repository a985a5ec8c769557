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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fm.generator import Generator
from pipelines.records import tracking
from pipelines.registry import model_version
from tests.fm.conftest import tiny_generator

NAME = "tiny-generator"
Ask = Callable[[Any], tuple[int, Any]]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with serving(tiny_generator(), tmp_path_factory.mktemp("served")) as asked:
        yield asked


@contextmanager
def serving(generator: Generator, folder: Path) -> Iterator[Ask]:
    """Register a model in a folder and serve it, its log in `log`; what sends a body to the server, and has status and
    what came back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        register(generator, folder)
    port = free_port()
    model = ["-m", f"models:/{NAME}@champion", "--env-manager", "local"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "models", "serve", *model, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            # MLflow starts uvicorn by its name: `make serve` sets the path too.
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
            | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
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


def register(generator: Generator, folder: Path) -> None:
    """As champion in the store of MLFLOW_TRACKING_URI, made as pipelines.register makes it."""
    generator.save(folder / "generator")
    (folder / "pages").mkdir()
    run_id = tracking.client().create_run(tracking.experiment_id("tiny"), run_name="register").info.run_id
    version = model_version.create(NAME, run_id, generator, folder / "generator", folder / "pages", {}, "a page")
    tracking.client().set_registered_model_alias(NAME, "champion", version.version)


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


@pytest.mark.parametrize("label", [7, "7"])
@pytest.mark.parametrize(
    "form",
    [
        lambda label: {"inputs": [{"label": label}, {}]},
        lambda label: {"inputs": {"label": [label, None]}},
        lambda label: {"dataframe_records": [{"label": label}, {}]},
        lambda label: {"dataframe_split": {"columns": ["label"], "data": [[label], [None]]}},
    ],
)
def test_rows_keep_their_number_and_places(ask: Ask, form: Callable[[object], dict[str, Any]], label: object) -> None:
    status, answer = ask({**form(label), "params": {"label": "3"}})
    assert status == 200, answer
    assert np.array_equal(np.array(answer["predictions"]), tiny_generator().sample(2, 0, [7, 3]))


@pytest.mark.parametrize("body", [{"inputs": [{}]}, {"instances": [{}]}, {"dataframe_records": [{}]}])
def test_the_shortest_request(ask: Ask, body: dict[str, Any]) -> None:
    status, answer = ask(body)
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
        (records({}, format="gif"), "format must be array or png or labelled, not 'gif'"),
        (records({}, label="dog"), "no label 'dog'; the labels are 0, 1, 2,"),
        (records({"label": 12}), "no label '12'; the labels are 0, 1, 2,"),
        (records({"label": ["7"]}), "no label"),
        (records({}, num_samples=True), "num_samples"),
        (records({}, seed=2**63), "seed must be a whole number from 0 to 9223372036854775807"),
        (records({}, steps=1001), "steps must be a whole number from 1 to 1000, not 1001"),
        (records({}, guidance=101), "at most 100, not 101"),
        (records({}, format=3), "format"),
        (records({"lable": "7"}), "no column 'lable': 'label' is the only one"),
        (records({"prompt": "a heart"}), "prompt: this model knows no text; it has the column 'label'"),
        (records({}, prompt="a heart"), "prompt: this model knows no text; it has the column 'label'"),
        (records({}, negative="a heart"), "negative: this model knows no text; it has the column 'label'"),
        (records({"label": True}), "no label 'True'"),
        (records({"label": 1.5}), "no label '1.5'"),
        (records(), "the input has no row; give one for each label"),
        ({"inputs": []}, "the input has no row; give one for each label"),
        ({"inputs": None}, "the input has no row; give one for each label"),
        ({"inputs": [{}], "params": [1]}, "Parameters must be a dictionary"),
        ({"params": {"num_samples": 1}}, "dataframe_records"),
        ({}, "dataframe_records"),
        (b"{not json", "JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_request_is_told_what_is_wrong(ask: Ask, body: Any, message: str) -> None:
    status, answer = ask(body)
    assert status == 400, answer
    assert message in json.loads(answer)["message"]
