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

SECONDS_BETWEEN = 0.5


class NotHealthy(UserError):
    """A service does not answer; the message has the end of its log."""


CHECKS: dict[str, Callable[[Mapping[str, str]], bool]] = {
    "postgres": postgres.answers,
    # Without credentials it says 403, which it cannot before it knows who may do what.
    "s3": lambda settings: status(settings["AWS_ENDPOINT_URL"]) in (200, 403),
    "mlflow": lambda settings: status(f"{settings['MLFLOW_TRACKING_URI']}/health") == 200,
    "prefect": lambda settings: status(f"{settings['PREFECT_API_URL']}/health") == 200,
}
"""Server -> whether it answers now, as those who use it ask."""


def status(url: str) -> int | None:
    try:
        with urlopen(url, timeout=5) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return None


def hears_of(api: str, worker: str, since: datetime) -> bool:
    """Whether Prefect hears of a worker, and has since a time: the last start's worker may have had the same name."""
    request = Request(
        f"{api}/work_pools/{POOL}/workers/filter",
        data=json.dumps({"workers": {"last_heartbeat_time": {"after_": since.isoformat()}}}).encode(),
        headers={"Content-Type": "application/json"},
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
