"""The champion of a registered model: who becomes it, why, and how to go back.

Every change is written down as a tag of the registered model, `champion.history.0001` and so on, which is never
changed: from what to what, when, by whom and why.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from fm.errors import UserError
from pipelines.records import provenance, tracking
from pipelines.registry.gate import Verdict, again, judge
from pipelines.registry.versions import NOT_THERE, asking
from pipelines.schemas.schema import Schema

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CANDIDATE, CHAMPION = "candidate", "champion"
HISTORY = "champion.history."


class Change(Schema):
    """One line of the history."""

    kind: Literal["promotion", "rollback"]
    version: str
    replaced: str | None
    when: str
    by: str
    why: str
    gate: str


@asking()
def promote(name: str, version: str | None, reason: str, against_the_gate: bool = False, by: str | None = None) -> str:
    """Make a version the champion, if registration's gate lets it pass.

    Args:
        version: its number; the candidate unless given.
        reason: what is written down.
        against_the_gate: promote it whatever the gate says, which is written down too.
        by: who says so; whoever is logged in unless given.

    Returns:
        What was done, in words.

    Raises:
        UserError: there is no such model or version, or the gate refuses it.
        TryLater: MLflow does not answer.
    """
    model = registered(name)
    chosen = find(model, version)
    if str(chosen.version) == champion_of(model):
        return f"{name}: version {chosen.version} is the champion already"
    verdict = judge_version(model, chosen)
    if not verdict.promoted and not against_the_gate:
        raise UserError(
            f"{name}: version {chosen.version} is not promoted; {verdict.why}\n"
            "--against-the-gate promotes it all the same, and says so in the history"
        )
    how = verdict.why if verdict.promoted else f"against the gate: {verdict.why}"
    return change(model, "promotion", str(chosen.version), require_reason(reason), how, by)


@asking()
def rollback(name: str, reason: str, by: str | None = None) -> str:
    """Make the champion before the present one the champion again; twice goes two back.

    Args:
        reason: what is written down.
        by: who says so; whoever is logged in unless given.

    Returns:
        What was done, in words.

    Raises:
        UserError: there is no such model, or none before.
        TryLater: MLflow does not answer.
    """
    model = registered(name)
    before = [version for version in reigns(history(model)) if version != champion_of(model)]
    if not before:
        raise UserError(f"{name}: there is no champion before version {champion_of(model)}, by its history")
    return change(model, "rollback", str(find(model, before[-1]).version), require_reason(reason), "not asked", by)


def change(
    model: "RegisteredModel", kind: Literal["promotion", "rollback"], version: str, why: str, gate: str, by: str | None
) -> str:
    """Write the change down, then make it: what was cut short between is seen, and can be made again."""
    # Since it was read, another may have written; MLflow cannot write on condition, so this is as near as one gets.
    model, store = registered(model.name), tracking.client()
    replaced = champion_of(model)
    line = Change(
        kind=kind,
        version=version,
        replaced=replaced,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        by=(by or "").strip() or provenance.user(),
        why=why,
        gate=gate,
    )
    store.set_registered_model_tag(model.name, next_line(model), line.model_dump_json())
    store.set_registered_model_alias(model.name, CHAMPION, version)
    return f"{model.name}: champion is version {version}, before it {replaced or 'none'}; {why}"


def next_line(model: "RegisteredModel") -> str:
    """The tag after the last: a count would find one that is taken where somebody has removed one."""
    numbers = [int(key.removeprefix(HISTORY)) for key in model.tags if key.startswith(HISTORY)]
    return f"{HISTORY}{max(numbers, default=0) + 1:04}"


def history(model: "RegisteredModel") -> list[Change]:
    """Every change of the champion, the first first."""
    return [Change.model_validate_json(model.tags[key]) for key in sorted(model.tags) if key.startswith(HISTORY)]


def reigns(changes: list[Change]) -> list[str]:
    """The champions one after the other, less those that were rolled back."""
    found: list[str] = []
    for one in changes:
        # A rollback can lead to one that is no longer among them, if another was made at the same moment.
        if one.kind == "promotion" or one.version not in found:
            found.append(one.version)
        while found[-1] != one.version:
            found.pop()
    return found


def judge_version(model: "RegisteredModel", version: "ModelVersion") -> Verdict:
    """What the gate says of a version beside the present champion."""
    champion = champion_of(model)
    if champion is None:
        return Verdict(True, "there is no champion yet")
    theirs = tracking.client().get_model_version(model.name, champion).tags
    return judge(version.tags, theirs, again(version.tags, champion))


def champion_of(model: "RegisteredModel") -> str | None:
    found = model.aliases.get(CHAMPION)
    return None if found is None else str(found)


@asking()
def registered(name: str) -> "RegisteredModel":
    """Raises UserError where there is no such model, TryLater where MLflow does not answer."""
    from mlflow.exceptions import MlflowException

    try:
        return tracking.client().get_registered_model(name)
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        known = [model.name for model in tracking.client().search_registered_models()]
        raise UserError(f"no registered model {name!r}: there are {', '.join(known) or 'none'}") from None


def find(model: "RegisteredModel", version: str | None) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    chosen = model.aliases.get(CANDIDATE) if version is None else version
    if chosen is None:
        raise UserError(f"{model.name} has no alias {CANDIDATE}: name a version")
    try:
        return tracking.client().get_model_version(model.name, str(chosen))
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        raise UserError(f"{model.name} has no version {chosen}") from None


def require_reason(reason: str) -> str:
    if not reason.strip():
        raise UserError("reason: is empty; say why, it is written down")
    return reason.strip()
