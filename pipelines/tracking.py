"""What MLflow is told: one run for each stage that trains or evaluates, under one parent for each pipeline run.

Everything goes through a client and explicit run ids, because MLflow's active run belongs to one thread.
MLflow is imported where it is used: that takes seconds.
"""

import json
import logging
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fm.errors import UserError
from pipelines import naming, params, provenance
from pipelines.project import PREPARED, ROOT, cache_dir, owner, whole_file
from pipelines.provenance import FLOW_RUN_VARIABLE
from pipelines.stage import Stage

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["FLOW_RUN_VARIABLE", "PARENT_RUN_VARIABLE", "StageRun", "client", "finish", "stage_run", "start_parent"]

PARENT_RUN_VARIABLE = "PIPELINE_PARENT_RUN_ID"
URI_VARIABLE = "MLFLOW_TRACKING_URI"

STAGE_KEY = "stage.key"
PARENT = "mlflow.parentRunId"
PATCH = "uncommitted.patch"
SECONDS_BETWEEN_SYSTEM_METRICS = 10
INTERRUPTED = (130, 143)  # exit codes after Ctrl-C and SIGTERM


def uri() -> str:
    """The tracking store: what the environment says, else the project's own database."""
    return os.environ.get(URI_VARIABLE) or f"sqlite:///{owner() / 'mlflow.db'}"


def client() -> "MlflowClient":
    """The client of the present tracking store, which is made if it isn't there."""
    return connect(uri())


@cache
def connect(store: str) -> "MlflowClient":
    with one_at_a_time():
        from mlflow import MlflowClient

        for chatty in ("alembic", "mlflow.store.db.utils", "mlflow.system_metrics", "mlflow.pyfunc"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        if database := database_file(store):
            create(database)
        return MlflowClient(store, registry_uri=store)


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
        UserError: somebody has deleted it.
    """
    from mlflow.exceptions import MlflowException

    store = client()
    with one_at_a_time():
        found = store.get_experiment_by_name(name)
        if found is None:
            database = database_file(uri())
            location = (database.absolute().parent / "mlruns").as_uri() if database else None  # else the server's own
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


def start_parent(name: str, tags: Mapping[str, str], root: Path = ROOT) -> str:
    """Start the run that holds one pipeline run in the checkout `root`; its id is what PARENT_RUN_VARIABLE hands to
    the stages."""
    settings = params.load(root / params.FILE)
    patch = provenance.uncommitted_patch(root)
    known = provenance.describe(
        provenance.prepared_md5(root), provenance.params_md5(settings), provenance.commit(root), patch
    )
    run_id = start(experiment_id(settings.dataset.name), name, {**known, **origin("flows"), **tags})
    log_patch(run_id, patch)
    log_params(run_id, params.flat(settings))
    return run_id


def finish(run_id: str, status: str, root: Path = ROOT) -> None:
    """End a parent run; by now the data is known for certain."""
    md5 = provenance.prepared_md5(root)
    client().set_tag(run_id, provenance.DATA, md5)
    if md5 != provenance.UNKNOWN:
        log_dataset(run_id, params.load(root / params.FILE).dataset.name, md5, str(PREPARED), "all stages")
    client().set_terminated(run_id, status)


def keep(run_id: str, files: Sequence[Path], metrics: Mapping[str, float], description: str) -> None:
    """Put files, figures and words, Markdown, into a parent run: what its page shows first."""
    for file in files:
        client().log_artifact(run_id, str(file))
    for name, value in metrics.items():
        client().log_metric(run_id, name, value)
    client().set_tag(run_id, "mlflow.note.content", description)


@contextmanager
def stage_run(stage: Stage, experiment: str, resume: bool = True) -> Iterator["StageRun"]:
    """The MLflow run of `stage`: the unfinished one with the same key, else a new one."""
    patch = provenance.uncommitted_patch()
    known = provenance.describe(stage.data_md5, stage.params_md5, provenance.commit(), patch)
    known |= {STAGE_KEY: stage.key, "stage.name": stage.name, **origin(f"pipelines.{stage.name.partition('@')[0]}")}
    container = experiment_id(experiment)
    unfinished = find_run(container, stage.key, finished=False) if resume else None
    run_id = reopen(unfinished.info.run_id, known) if unfinished else start(container, called(stage), known)
    log_patch(run_id, patch)
    with ended(run_id), system_metrics(run_id):
        yield StageRun(run_id, resumed=unfinished is not None)


def called(stage: Stage) -> str:
    """Its name, and that of the run it is a part of, or else what its own would be: ten trainings have ten names."""
    parent = os.environ.get(PARENT_RUN_VARIABLE)
    whole = client().get_run(parent).info.run_name if parent else naming.of_run()
    return f"{stage.name}: {whole}" if whole else stage.name


def finished_run(stage: Stage, experiment: str) -> str | None:
    """The id of the run that made what `stage` has now; none where this store has not seen it run."""
    database = database_file(uri())
    if database is not None and not database.exists():
        return None
    found = find_run(experiment_id(experiment), stage.key, finished=True)
    return None if found is None else str(found.info.run_id)


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


def start(container: str, name: str, tags: Mapping[str, str]) -> str:
    return str(client().create_run(container, tags={**tags, **from_surroundings()}, run_name=name).info.run_id)


def reopen(run_id: str, tags: Mapping[str, str]) -> str:
    print(f"resuming MLflow run {run_id}", flush=True)
    client().update_run(run_id, status="RUNNING")
    for name, value in {**tags, **from_surroundings()}.items():
        client().set_tag(run_id, name, value)
    return run_id


def from_surroundings() -> dict[str, str]:
    parent = os.environ.get(PARENT_RUN_VARIABLE)
    return {PARENT: parent} if parent else {}


def origin(module: str) -> dict[str, str]:
    """What MLflow's tables show as a run's source and user."""
    return {"mlflow.source.name": module, "mlflow.source.type": "LOCAL", "mlflow.user": provenance.user()}


def log_params(run_id: str, values: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    client().log_batch(run_id, params=[Param(name, str(value)) for name, value in values.items()])


def log_dataset(run_id: str, name: str, digest: str, source: str, context: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name, digest, source_type="local", source=json.dumps({"uri": source}))
    client().log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])


def log_patch(run_id: str, patch: bytes | None) -> None:
    """Keep the uncommitted changes with the run, so that commit and patch give the code back."""
    if patch:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / PATCH
            path.write_bytes(patch)
            client().log_artifact(run_id, str(path))


@contextmanager
def ended(run_id: str) -> Iterator[None]:
    """Give the run the status that what happens inside deserves."""
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    except SystemExit as stop:
        status = "KILLED" if stop.code in INTERRUPTED else "FAILED" if stop.code else "FINISHED"
        raise
    finally:
        client().set_terminated(run_id, status)


@contextmanager
def system_metrics(run_id: str) -> Iterator[None]:
    """Processor, memory, disk, network and GPU, as long as the run lasts."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, SECONDS_BETWEEN_SYSTEM_METRICS, resume_logging=True, tracking_uri=uri())
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


class StageRun:
    """One run of one stage. A resumed run keeps what it has: no step of a metric or image is logged twice."""

    def __init__(self, run_id: str, resumed: bool) -> None:
        self.run_id = run_id
        self.resumed = resumed
        self._client = client()
        self._metric_steps: dict[str, set[int]] = {}
        self._image_steps = image_steps(self._client, run_id) if resumed else defaultdict(set)

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings by name. MLflow lets nobody change them later."""
        log_params(self.run_id, values)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        fresh = [name for name in values if step not in self._steps_of(name)]
        self._client.log_batch(self.run_id, metrics=[Metric(name, values[name], now, step) for name in fresh])
        for name in fresh:
            self._metric_steps[name].add(step)

    def image(self, name: str, image: npt.NDArray[np.uint8], step: int) -> None:
        """A uint8 image (H, W, C), which the run's page shows by step."""
        if step not in self._image_steps[name]:
            self._client.log_image(self.run_id, image, key=name, step=step)
            self._image_steps[name].add(step)

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """A file, or a folder with all that is in it."""
        log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        log(self.run_id, str(path), folder)

    def dataset_input(self, name: str, digest: str, source: str, context: str = "training") -> None:
        """What the run has used. The digest is DVC's md5."""
        log_dataset(self.run_id, name, digest, source, context)

    def _steps_of(self, name: str) -> set[int]:
        if name not in self._metric_steps:
            history = self._client.get_metric_history(self.run_id, name) if self.resumed else []
            self._metric_steps[name] = {metric.step for metric in history}
        return self._metric_steps[name]


def image_steps(store: "MlflowClient", run_id: str) -> defaultdict[str, set[int]]:
    """Image name -> the steps it was logged at, from the names MLflow gives the files."""
    steps: defaultdict[str, set[int]] = defaultdict(set)
    for file in store.list_artifacts(run_id, "images"):
        name, separator, rest = Path(file.path).name.partition("+step+")
        if separator:
            steps[name.replace("~", "/")].add(int(rest.partition("+")[0]))
    return steps
