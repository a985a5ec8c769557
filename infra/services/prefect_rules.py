"""What Prefect is told through its client: when a run is lost, and a machine's place for computing.

Import it late: Prefect takes seconds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows import slots
from fm.errors import UserError
from infra.services.env_file import HEARTBEAT_SECONDS

STATES = "prefect.flow-run"
SIGN_OF_LIFE = f"{STATES}.heartbeat"
LOST_SECONDS = 3 * HEARTBEAT_SECONDS
FORMER_DEPLOYMENTS = ("stage/stage", "share/share", "share/worker-share")
START_SECONDS = 300
"""From a worker's taking a run to its beginning: a minute where the machine is busy."""
GONE = "No sign of life: its machine or its worker is gone."


class ApiError(UserError):
    """Prefect's API does not answer, or refuses."""


def find_lost_runs(environment: Mapping[str, str]) -> None:
    """Let Prefect call a run crashed whose machine or worker is gone, before it began or while it ran."""
    ends = {f"{STATES}.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    rules = (
        lost_unless("lost runs", SIGN_OF_LIFE, {SIGN_OF_LIFE, *ends}, LOST_SECONDS),
        lost_unless("runs that never began", f"{STATES}.Pending", {f"{STATES}.Running", *ends}, START_SECONDS),
    )
    with using(environment), get_client(sync_client=True) as client:
        for rule in rules:
            if known := client.read_automations_by_name(rule.name):
                client.update_automation(known[0].id, rule)
            else:
                client.create_automation(rule)


def forget_deployments(environment: Mapping[str, str]) -> None:
    """Those that have another name now: they would stand beside their successors, and no longer run."""
    with using(environment), get_client(sync_client=True) as client:
        for name in FORMER_DEPLOYMENTS:
            with suppress(ObjectNotFound):
                client.delete_deployment(client.read_deployment_by_name(name).id)


def lost_unless(name: str, after: str, expect: set[str], seconds: int) -> AutomationCore:
    """A run has crashed that gives none of the expected events in these seconds after another. One that has ended in
    the meantime stays as it is: not forced, Prefect refuses to change it."""
    return AutomationCore(
        name=name,
        description=f"A run of which nothing is heard for {seconds} s after {after} has crashed.",
        trigger=EventTrigger(
            after={after},
            expect=expect,
            match=ResourceSpecification({"prefect.resource.id": [f"{STATES}.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[ChangeFlowRunState(name=None, state=StateType.CRASHED, message=GONE, force=False)],
    )


def make_slot(environment: Mapping[str, str]) -> None:
    """Make the place for computing of this machine, which has a worker."""
    with using(environment):
        slots.make()


@contextmanager
def using(environment: Mapping[str, str]) -> Iterator[None]:
    """Prefect's client asks the API that an environment names. Raises ApiError where it does not answer or refuses."""
    api, login = environment["PREFECT_API_URL"], environment["PREFECT_API_AUTH_STRING"]
    try:
        with temporary_settings({PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: login}):
            yield
    except HTTPError as error:
        raise ApiError(f"PREFECT_API_URL is {api}: {error or type(error).__name__}") from None
