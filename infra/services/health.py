"""Whether the services answer."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from fm.errors import UserError
from infra.services import postgres
from infra.services.programs import POOL
from pipelines.records.logins import basic

SECONDS_BETWEEN = 0.5


class NotHealthy(UserError):
    """A service does not answer; the message has the end of its log."""


def mlflow_answers(settings: Mapping[str, str]) -> bool:
    login = ":".join(settings.get(f"MLFLOW_TRACKING_{what}", "") for what in ("USERNAME", "PASSWORD"))
    url = f"{settings['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/experiments/search?max_results=1"
    return lets_in(url, login, "MLFLOW_AUTH_ADMIN_PASSWORD")


def prefect_answers(settings: Mapping[str, str]) -> bool:
    url = f"{settings['PREFECT_API_URL']}/admin/version"
    return lets_in(url, settings.get("PREFECT_API_AUTH_STRING", ""), "PREFECT_ADMIN_PASSWORD")


def lets_in(url: str, login: str, name: str) -> bool:
    """Whether a service answers this login. Raises NotHealthy where it knows another."""
    answer = status(url, login)
    if answer == 401:
        raise NotHealthy(f".env: {name}: is not the password that {url} knows")
    return answer == 200


CHECKS: dict[str, Callable[[Mapping[str, str]], bool]] = {
    "postgres": postgres.answers,
    # Without credentials it says 403, which it cannot before it knows who may do what.
    "s3": lambda settings: status(settings["AWS_ENDPOINT_URL"]) in (200, 403),
    "mlflow": mlflow_answers,
    "prefect": prefect_answers,
}
"""Server -> whether it answers now, as those who use it ask."""


def status(url: str, login: str = "") -> int | None:
    """The status of an answer; None where nothing answers."""
    try:
        with urlopen(Request(url, headers=basic(login)), timeout=5) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return None


def hears_of(settings: Mapping[str, str], worker: str, since: datetime) -> bool:
    """Whether Prefect hears of a worker, and has since a time: the last start's worker may have had the same name."""
    request = Request(
        f"{settings['PREFECT_API_URL']}/work_pools/{POOL}/workers/filter",
        data=json.dumps({"workers": {"last_heartbeat_time": {"after_": since.isoformat()}}}).encode(),
        headers={"Content-Type": "application/json", **basic(settings.get("PREFECT_API_AUTH_STRING", ""))},
    )
    try:
        with urlopen(request, timeout=5) as response:
            return any(one["name"] == worker and one["status"] == "ONLINE" for one in json.load(response))
    except (URLError, OSError):
        return False


def wait_until(answers: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > deadline:
            return False
        time.sleep(SECONDS_BETWEEN)
    return True
