"""Where MLflow's tracking store is, and how it is reached.

MLflow is imported where it is used: that takes seconds.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fm.errors import UserError
from pipelines.project import cache_dir, owner, whole_file
from pipelines.records import moved_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

URI_VARIABLE = "MLFLOW_TRACKING_URI"
STAGE_KEY = "stage.key"
PATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""MLflow's own, 120 s and 7, hold whoever asks a server that answers nothing for a quarter of an hour."""


def uri() -> str:
    """The tracking store: what the environment says, else the project's own database."""
    return os.environ.get(URI_VARIABLE) or f"sqlite:///{owner() / 'mlflow.db'}"


WHERE_MAKE_UI_IS = "http://127.0.0.1:5000"
TRAINING_VIEW = "workflowType=machine_learning"


def shown(store: str) -> str:
    """A store's address without the password that may be in it."""
    parts = urlsplit(store)
    return store.replace(f"{parts.username or ''}:{parts.password}@", "") if parts.password else store


def page(run_id: str | None = None) -> str:
    """The address of a run's page, or of all experiments, in the view for model training.

    MLflow opens the one for language models unless the address says so, or the browser remembers that somebody has
    pressed the switch at the top left: the parameter does not survive the next click.
    """
    base = uri() if uri().startswith("http") else WHERE_MAKE_UI_IS
    place = "experiments"
    if run_id is not None:
        place += f"/{client().get_run(run_id).info.experiment_id}/runs/{run_id}"
    return f"{shown(base).rstrip('/')}/#/{place}?{TRAINING_VIEW}"


def client() -> "MlflowClient":
    """The client of the present tracking store, which is made if it isn't there."""
    return connect(uri())


@cache
def connect(store: str) -> "MlflowClient":
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)
    with one_at_a_time():
        from mlflow import MlflowClient

        for chatty in ("alembic", "mlflow.system_metrics", "mlflow.pyfunc"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # tracebacks of what is raised as well
        if database := database_file(store):
            create(database)
            moved_store.mend(database)
        return MlflowClient(store, registry_uri=store)


@contextmanager
def login_asked_for() -> Iterator[None]:
    """A store that lets nobody in without a login, or with this one, as UserError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code == "UNAUTHENTICATED":
            raise UserError(
                f"{URI_VARIABLE} is {shown(uri())}, which asks for a login: set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, as .env does"
            ) from None
        raise


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two processes that set up one database at once would both fail."""
    from filelock import FileLock

    path = cache_dir() / "locks" / "mlflow.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


def database_file(store: str) -> Path | None:
    """The file of a SQLite store."""
    _, is_sqlite, path = store.partition("sqlite:///")
    return Path(path) if is_sqlite and path else None


def create(database: Path) -> None:
    """Set up the database beside its place, then move it there: one that is set up by half stays broken."""
    if database.exists():
        return
    from mlflow import MlflowClient

    print(f"setting up {database}", flush=True)
    with whole_file(database) as partial:
        partial.unlink(missing_ok=True)
        MlflowClient(f"sqlite:///{partial}").search_experiments(max_results=1)


def experiment_id(name: str) -> str:
    """The experiment `name`, made if it isn't there.

    Raises:
        UserError: somebody has deleted it, or the store wants a login.
    """
    from mlflow.exceptions import MlflowException

    store = client()
    with one_at_a_time(), login_asked_for():
        found = store.get_experiment_by_name(name)
        if found is None:
            database = database_file(uri())
            # A server has a place of its own.
            location = (database.absolute().parent / moved_store.FOLDER).as_uri() if database else None
            try:
                return str(store.create_experiment(name, location))
            except MlflowException:  # made by another machine meanwhile, or a true failure
                found = store.get_experiment_by_name(name)
                if found is None:
                    raise
    if found.lifecycle_stage != "active":
        raise UserError(
            f"the MLflow experiment {name!r} was deleted; to bring it back: "
            f"mlflow experiments restore --experiment-id {found.experiment_id}"
        )
    return str(found.experiment_id)


def find_run(container: str, stage_key: str, finished: bool) -> "Run | None":
    """The last run of the stage with this key that is finished, or that isn't."""
    comparison = "=" if finished else "!="
    runs = client().search_runs(
        [container],
        f"tags.`{STAGE_KEY}` = '{stage_key}' and attributes.status {comparison} 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return runs[0] if runs else None
