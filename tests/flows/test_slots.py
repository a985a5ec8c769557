"""A machine's place for computing, on a real Prefect server."""

import threading
import time
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import slots
from flows.processes import Processes, Stopped
from fm.errors import TryLater

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(slots, "SECONDS_BETWEEN", 1)
    slots.make()
    slots.make()  # is there already
    yield
    with get_client(sync_client=True) as client:
        client.delete_global_concurrency_limit_by_name(slots.name())


def taken() -> int:
    with get_client(sync_client=True) as client:
        return client.read_global_concurrency_limit_by_name(slots.name()).active_slots


def test_where_there_is_none_the_stages_of_one_process_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "SECONDS_BETWEEN", 0.1)
    assert not slots.exists()
    order: list[str] = []

    def other(processes: Processes) -> None:
        with slots.held("train@b", processes):
            order.append("other")

    with Processes() as processes:
        waiting = threading.Thread(target=other, args=[processes])
        with slots.held("train@a", processes), slots.held("prepare", processes):
            waiting.start()
            waiting.join(2)
            order.append("one")
        waiting.join(30)
    assert order == ["one", "other"]


def test_one_of_them_that_waits_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "SECONDS_BETWEEN", 0.1)
    with Processes() as first, Processes() as second, slots.held("train@a", first):
        threading.Timer(1, second.stop).start()
        with pytest.raises(Stopped), slots.held("train@b", second):
            pytest.fail("two hold the place")
    with Processes() as third, slots.held("train@c", third):
        pass  # it was given back


def test_a_server_that_does_not_answer_may_do_so_later() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}), pytest.raises(TryLater, match="Prefect"):
        slots.exists()


@pytest.mark.usefixtures("place")
def test_one_stage_computes_at_a_time_and_the_place_is_given_back() -> None:
    with Processes() as processes:
        with slots.held("train@a", processes), slots.held("prepare", processes):
            assert taken() == 1
        assert taken() == 0


@pytest.mark.usefixtures("place")
def test_a_run_that_waits_can_be_stopped(caplog: pytest.LogCaptureFixture) -> None:
    with Processes() as first, Processes() as second, slots.held("train@a", first):
        threading.Timer(3, second.stop).start()
        began = time.monotonic()
        with pytest.raises(Stopped), slots.held("train@b", second):
            pytest.fail("two hold the place")
        assert time.monotonic() - began > 2
    assert not [record.message for record in caplog.records if record.levelname == "ERROR"]
