"""Promotion and rollback as Prefect flows, so that they are on record beside the runs and need no shell."""

from typing import Any

from prefect import flow, pause_flow_run
from prefect.client.schemas.objects import State
from prefect.input import RunInput
from prefect.states import Completed, Failed
from pydantic import Field

from fm.errors import UserError

SECONDS_TO_ANSWER = 24 * 3600
SECONDS_BETWEEN = 10  # looks whether somebody has


class Approval(RunInput):
    """What a person is asked on the run's page."""

    approved: bool = Field(default=False, description="whether the champion shall be changed so")
    by: str = Field(description="who says so")


@flow(name="promote", flow_run_name="{model}", persist_result=False)
def promote(
    model: str,
    reason: str,
    version: int | None = None,
    against_the_gate: bool = False,
    ask_first: bool = False,
    by: str | None = None,
) -> State[Any]:
    """Make a version of a registered model the champion, if registration's gate lets it pass.

    Args:
        model: the registered model's name.
        reason: is written into the model's history.
        version: its number; the candidate unless given.
        against_the_gate: promote it whatever the gate says; that is written down too.
        ask_first: wait, a day at most, until a person has approved on this run's page (Resume).
        by: who says so, for the history; unless given, who has approved, or the login that the worker runs under.
    """
    from pipelines.registry import promotion

    try:
        by = approved(by) if ask_first else by
        chosen = None if version is None else str(version)
        return Completed(message=promotion.promote(model, chosen, reason, against_the_gate, by))
    except UserError as error:
        return Failed(message=str(error))


@flow(name="rollback", flow_run_name="{model}", persist_result=False)
def rollback(model: str, reason: str, ask_first: bool = False, by: str | None = None) -> State[Any]:
    """Make the champion before the present one the champion again.

    Args:
        model: the registered model's name.
        reason: is written into the model's history.
        ask_first: wait, a day at most, until a person has approved on this run's page (Resume).
        by: who says so, for the history; unless given, who has approved, or the login that the worker runs under.
    """
    from pipelines.registry import promotion

    try:
        by = approved(by) if ask_first else by
        return Completed(message=promotion.rollback(model, reason, by))
    except UserError as error:
        return Failed(message=str(error))


def approved(asked_by: str | None) -> str:
    """Ask, and say on whose word the champion is changed. Raises UserError if it is not approved."""
    answer = pause_flow_run(wait_for_input=Approval, timeout=SECONDS_TO_ANSWER, poll_interval=SECONDS_BETWEEN)
    if not answer.approved:
        raise UserError(f"{answer.by} has not approved")
    return f"{asked_by}, approved by {answer.by}" if asked_by and asked_by.strip() else str(answer.by)
