"""What Prefect is told through its client: when a run is lost, and a machine's place for computing.

Import it late: Prefect takes seconds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import slots
from fm.errors import UserError
from infra.services.programs import HEARTBEAT_SECONDS

SIGN_OF_LIFE = "prefect.flow-run.heartbeat"
LOST_SECONDS = 3 * HEARTBEAT_SECONDS
NAME = "lost runs"


class ApiError(UserError):
    """Prefect's API does not answer, or refuses."""


def find_lost_runs(environment: Mapping[str, str]) -> None:
    """Let Prefect call a run crashed whose signs of life fail to come, because its machine or its worker is gone.

    A run that is lost before its first sign of life is not found.
    """
    ends = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    gone = ChangeFlowRunState(
        name=None, state=StateType.CRASHED, message="No sign of life: its machine or its worker is gone.", force=False
    )
    rule = AutomationCore(
        name=NAME,
        description=f"A run that gives no sign of life for {LOST_SECONDS} s has crashed.",
        trigger=EventTrigger(
            after={SIGN_OF_LIFE},
            expect={SIGN_OF_LIFE, *ends},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=LOST_SECONDS),
        ),
        actions=[gone],
    )
    with using(environment), get_client(sync_client=True) as client:
        if known := client.read_automations_by_name(NAME):
            client.update_automation(known[0].id, rule)
        else:
            client.create_automation(rule)


def make_slot(environment: Mapping[str, str]) -> None:
    """Make the place for computing of this machine, which has a worker."""
    with using(environment):
        slots.make()


@contextmanager
def using(environment: Mapping[str, str]) -> Iterator[None]:
    """Prefect's client asks the API that an environment names. Raises ApiError where it does not answer or refuses."""
    api = environment["PREFECT_API_URL"]
    try:
        with temporary_settings({PREFECT_API_URL: api}):
            yield
    except HTTPError as error:
        raise ApiError(f"PREFECT_API_URL is {api}: {error or type(error).__name__}") from None
