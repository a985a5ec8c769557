"""A place in S3, on a real SeaweedFS."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fm import s3
from fm.errors import TryLater, UserError
from fm.s3 import Place
from infra.services.buckets import Key
from pipelines.project import ROOT
from tests.ports import free_run
from tests.store import Store

BUCKET = "team-b-samples"


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, Key]:
    return store.set_up("team-b", {})


@pytest.fixture(autouse=True)
def shell(store: Store, keys: dict[str, Key], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.variables(keys["training"]).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    return Place(BUCKET, f"{request.node.name}/")


def test_an_object_is_written_once(place: Place) -> None:
    assert place.read("a") is None
    assert place.write_new("a", b"first")
    assert not place.write_new("a", b"second")
    assert place.read("a") == b"first"


def test_of_many_writers_one_writes(place: Place) -> None:
    wrote: list[bool] = []
    threads = [
        threading.Thread(target=lambda content: wrote.append(place.write_new("a", content)), args=(b"%d" % number,))
        for number in range(8)
    ]
    place.names()  # the client is made once
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wrote) == [False] * 7 + [True]


def test_names_are_those_of_the_place_alone_however_many(place: Place) -> None:
    for number in range(1005):  # a page has 1000
        place.write_new(f"{number:04d}", b"")
    Place(BUCKET, f"{place.prefix.rstrip('/')}-other/").write_new("a", b"")
    assert place.names() == {f"{number:04d}" for number in range(1005)}


def test_addresses() -> None:
    assert s3.parse("s3://bucket/a/b/") == s3.parse("s3://bucket/a/b") == Place("bucket", "a/b/")
    assert str(s3.parse("s3://bucket/a/b")) == "s3://bucket/a/b/"
    for wrong in ("s3://bucket", "s3://bucket/", "s3:///a", "bucket/a"):
        with pytest.raises(UserError, match="must be s3://bucket/prefix/"):
            s3.parse(wrong)


def test_what_is_refused_is_final_and_named(
    store: Store, keys: dict[str, Key], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.variables(keys["reader"]).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=rf"^s3://{BUCKET}/.*/b: these keys may not do that \(AccessDenied\)") as said:
        Place(BUCKET, place.prefix).write_new("b", b"")
    assert not isinstance(said.value, TryLater)
    for name, value in store.variables(store.admin).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"^s3://nowhere/a/: there is no such bucket") as said:
        Place("nowhere", "a/").names()
    assert not isinstance(said.value, TryLater)


class Broken(BaseHTTPRequestHandler):
    """A store that is ill."""

    def do_GET(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def ill() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_store_that_does_not_answer_may_later(place: Place, ill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_run(1)}")
    with pytest.raises(TryLater, match=f"^s3://{BUCKET}/.*: the store does not answer"):
        place.names()
    monkeypatch.setenv("AWS_ENDPOINT_URL", ill)
    with pytest.raises(TryLater, match=f"^s3://{BUCKET}/.*: the store cannot now: .*503"):
        Place(BUCKET, place.prefix).names()


def test_a_command_that_may_succeed_later_says_so_by_its_exit_code() -> None:
    code = """
from pipelines.program import run
from fm.s3 import Place
run(lambda: print(Place("bucket", "a/").names()))
"""
    surroundings = os.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_run(1)}"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == os.EX_TEMPFAIL
    assert done.stderr.startswith("s3://bucket/a/: the store does not answer")
