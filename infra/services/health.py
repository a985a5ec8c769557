"""Whether the services answer."""

import json
import time
from collections.abc import Callable, Mapping
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from fm.errors import UserError
from infra.services import postgres
from infra.services.programs import POOL

SECONDS_BETWEEN = 0.5


class NotHealthy(UserError):
    """A service does not answer; the message has the end of its log."""


def checks(settings: Mapping[str, str]) -> dict[str, Callable[[], bool]]:
    """Program -> whether it answers now, as those who use it ask."""
    mlflow, prefect = settings["MLFLOW_TRACKING_URI"], settings["PREFECT_API_URL"]
    return {
        "postgres": lambda: postgres.answers(settings),
        # Without credentials it says 403, which it cannot before it knows who may do what.
        "s3": lambda: status(settings["AWS_ENDPOINT_URL"]) in (200, 403),
        "mlflow": lambda: status(f"{mlflow}/health") == 200,
        "prefect": lambda: status(f"{prefect}/health") == 200,
        "worker": lambda: has_worker(prefect),
    }


def status(url: str) -> int | None:
    try:
        with urlopen(url, timeout=5) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return None


def has_worker(api: str) -> bool:
    request = Request(
        f"{api}/work_pools/{POOL}/workers/filter",
        data=json.dumps({"workers": {"status": {"any_": ["ONLINE"]}}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=5) as response:
            return bool(json.load(response))
    except (URLError, OSError):
        return False


def wait_until(answers: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > deadline:
            return False
        time.sleep(SECONDS_BETWEEN)
    return True
