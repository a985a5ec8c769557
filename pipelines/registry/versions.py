"""A version of a registered model by what people call it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fm.errors import TryLater, UserError
from pipelines import params
from pipelines.records import tracking
from pipelines.records.mlflow_store import login_asked_for

NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for a name or an id that is unknown or impossible."""
ABSENT = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")
"""MLflow's codes for a connection that failed and for a fault of the server."""


def find(name: str, settings: Path = params.FILE) -> tuple[str, str]:
    """The registered model and the version's number that `champion`, `3`, `MODEL@champion` or `MODEL@3` stand for.

    Args:
        settings: the params.yaml whose model is meant where none is named.

    Raises:
        UserError: there is no such thing; the message says what there is.
        TryLater: MLflow does not answer.
    """
    model, named, version = name.rpartition("@")
    registered = model if named else params.load(settings).register_.model_name
    with asking():
        return registered, find_version(registered, version)


def find_version(registered: str, name: str) -> str:
    """The version's number that an alias or a number stands for."""
    from mlflow.exceptions import MlflowException

    store = tracking.client()
    try:
        if name.isdecimal():
            return str(store.get_model_version(registered, name).version)
        return str(store.get_model_version_by_alias(registered, name).version)
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
    raise UserError(f"{registered} has no {in_words(name)}: {known(registered)}, or name a generator's folder")


def in_words(name: str) -> str:
    return f"version {name}" if name.isdecimal() else f"version called {name}"


def known(registered: str) -> str:
    """What there is, for a message."""
    store = tracking.client()
    found = sorted(store.search_model_versions(f"name = '{registered}'"), key=lambda one: int(one.version))
    if not found:
        return "nothing is registered yet, `make run` does that"
    aliases = store.get_registered_model(registered).aliases
    names = [f"{alias} (version {version})" for alias, version in sorted(aliases.items())]
    return f"there are the versions {', '.join(str(one.version) for one in found)}; {', '.join(names)}"


@contextmanager
def asking() -> Iterator[None]:
    """MLflow's absence, or that of its artifacts, as TryLater; that it wants a login as UserError."""
    from mlflow.exceptions import MlflowException

    try:
        with login_asked_for():
            yield
    except MlflowException as error:
        if error.error_code in ABSENT:
            raise TryLater(f"MLflow does not answer as it should: {error}") from None
        raise
