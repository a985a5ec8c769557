"""What MLflow is told: one run for each stage that trains or evaluates, under one parent for each pipeline run.

Everything goes into an outbox (outbox.py) and from there to the store (delivery.py), so that a run neither waits for a
store that does not answer nor fails by it. MLflow is imported where it is used: that takes seconds.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fm.errors import UserError
from pipelines import params
from pipelines.project import PREPARED, ROOT
from pipelines.records import naming, outbox, provenance
from pipelines.records.delivery import PARENT, PATIENCE, Courier, deliver_left
from pipelines.records.mlflow_store import (
    STAGE_KEY,
    URI_VARIABLE,
    client,
    create,
    database_file,
    experiment_id,
    find_run,
    page,
    shown,
    uri,
)
from pipelines.records.outbox import Outbox
from pipelines.records.provenance import FLOW_RUN_VARIABLE
from pipelines.stage import Stage

__all__ = [
    "FLOW_RUN_VARIABLE",
    "PARENT",
    "PARENT_RUN_VARIABLE",
    "STAGE_KEY",
    "URI_VARIABLE",
    "ParentRun",
    "StageRun",
    "client",
    "create",
    "database_file",
    "deliver_left",
    "experiment_id",
    "find_run",
    "page",
    "parent_run",
    "settle_left",
    "stage_run",
    "uri",
]

PARENT_RUN_VARIABLE = "PIPELINE_PARENT_RUN_ID"

PATCH = "uncommitted.patch"
LEFT_OUT = "not-in-the-patch.txt"
SECONDS_TO_BEGIN = 20.0
"""How long a run waits for the store to begin it, before it goes on without. What its stages hang on waits longer for a
database here, which may be made first, or be locked for a minute."""
SECONDS_BETWEEN_SYSTEM_METRICS = 10
INTERRUPTED = (130, 143)  # exit codes after Ctrl-C and SIGTERM


@contextmanager
def parent_run(name: str, tags: Mapping[str, str], root: Path = ROOT) -> Iterator["ParentRun"]:
    """The run that holds one pipeline run in the checkout `root`."""
    settings = params.load(root / params.FILE)
    patch = provenance.uncommitted_patch(root)
    known = provenance.tags_of(
        provenance.prepared_md5(root), provenance.params_md5(settings), provenance.commit(root), patch
    )
    begin = beginning(settings.dataset.name, name, {**known, **origin("flows"), **tags})
    with reported(begin, "pipeline", PATIENCE if database_file(uri()) else SECONDS_TO_BEGIN) as (box, courier):
        run = ParentRun(box, courier)
        run.changes(patch, provenance.left_out(root))
        run.params(params.flat(settings))
        with ended(run):
            try:
                yield run
            finally:
                run.tell_data(root)


@contextmanager
def stage_run(stage: Stage, experiment: str, resume: bool = True) -> Iterator["StageRun"]:
    """The MLflow run of `stage`: the unfinished one with the same key, else a new one."""
    patch = provenance.uncommitted_patch()
    known = provenance.tags_of(stage.data_md5, stage.params_md5, provenance.commit(), patch)
    known |= {STAGE_KEY: stage.key, "stage.name": stage.name, **origin(f"pipelines.{stage.name.partition('@')[0]}")}
    tags = {**known, **from_surroundings()}
    begin = beginning(experiment, stage.name, tags, stage.key if resume else None) | {"part_of": naming.of_run()}
    with reported(begin, stage.name) as (box, courier):
        run = StageRun(box, courier)
        run.changes(patch, provenance.left_out())
        with ended(run), system_metrics(run):
            yield run


def beginning(experiment: str, name: str, tags: Mapping[str, str], key: str | None = None) -> dict[str, Any]:
    """The first message of a run.

    Args:
        key: the stage's, where an unfinished run with the same is to be resumed.
    """
    return {
        "do": "begin", "experiment": experiment, "name": name, "tags": dict(tags), "key": key,
        "resume": key is not None, "time": now(),
    }  # fmt: skip


@contextmanager
def reported(begin: Mapping[str, Any], name: str, seconds: float | None = None) -> Iterator[tuple[Outbox, Courier]]:
    """An outbox and who delivers it, once the store has begun the run, or has failed to for so many seconds.

    Raises:
        UserError: the store answers, and refuses.
    """
    with outbox.opened(uri(), name) as box:
        box.put(begin)
        courier = Courier(box)
        courier.start()
        try:
            begun = courier.wait_for_begin(SECONDS_TO_BEGIN if seconds is None else seconds)
        except UserError:
            courier.give_up()
            outbox.discard(box)
            raise
        if not begun and courier.failure is not None:
            print(f"{courier.complaint()}: this goes on, and what it has to say is kept in {box.folder}", flush=True)
        yield box, courier


@contextmanager
def ended(run: "Run") -> Iterator[None]:
    """Give the run the status that what happens inside deserves."""
    status = "KILLED"  # by SIGTERM or Ctrl-C, which are no Exceptions
    try:
        yield
        status = "FINISHED"
    except SystemExit as stop:
        if stop.code not in INTERRUPTED:
            status = "FAILED" if stop.code else "FINISHED"
        raise
    except Exception:
        status = "FAILED"
        raise
    finally:
        run.end(status)


class Run:
    """What one run says. Each call returns at once."""

    def __init__(self, box: Outbox, courier: Courier) -> None:
        self._box = box
        self._courier = courier

    @property
    def run_id(self) -> str:
        """MLflow's, waited for. Raises UserError, TryLater where the store gives none."""
        return self._courier.run_id()

    @property
    def resumed(self) -> bool:
        """Whether it is an earlier run that goes on, waited for as the id is."""
        self._courier.run_id()
        return self._courier.delivery.resumed

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings by name. MLflow lets nobody change them later."""
        self._put({"do": "params", "values": {name: str(value) for name, value in values.items()}})

    def tags(self, values: Mapping[str, str]) -> None:
        self._put({"do": "tags", "values": dict(values)})

    def metrics(self, values: Mapping[str, float], step: int, whole: Mapping[str, float] | None = None) -> None:
        """Figures by name. No step of a metric is logged twice, resumed or not.

        Args:
            whole: figures for the run that this one is a part of, so that its charts fill as it goes on.
        """
        self._put({"do": "metrics", "values": dict(values), "step": step, "time": now(), "whole": dict(whole or {})})

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """A file, or a folder with all that is in it, as it is now."""
        self._put({"do": "artifacts", "folder": folder}, [path])

    def dataset_input(self, name: str, digest: str, source: str, context: str = "training") -> None:
        """What the run has used. The digest is DVC's md5."""
        values = {"name": name, "digest": digest, "source": json.dumps({"uri": source}), "context": context}
        self._put({"do": "input", "values": values})

    def changes(self, patch: bytes | None, left_out: str) -> None:
        """Keep the uncommitted changes with the run, so that commit and patch give the code back, and the names of the
        files that are in neither."""
        for name, content in ((PATCH, patch), (LEFT_OUT, left_out.encode("utf-8", "backslashreplace"))):
            if content:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / name
                    path.write_bytes(content)
                    self.artifact(path)

    def end(self, status: str) -> None:
        """Say how it ended, and wait until MLflow has been told all; a run that was interrupted does not wait long."""
        self._put({"do": "end", "status": status, "time": now()})
        self._courier.close(0 if status == "KILLED" else PATIENCE)

    def _put(self, message: Mapping[str, Any], files: Sequence[Path] = ()) -> None:
        try:
            self._box.put(message, files)
        except OSError as error:  # a full disk, which the run's own outputs may still fit on
            print(f"MLflow will not be told this, which could not be kept: {message['do']}: {error}", flush=True)
        self._courier.notify()


class StageRun(Run):
    """One run of one stage."""

    def image(self, name: str, image: npt.NDArray[np.uint8], step: int) -> None:
        """A uint8 image (H, W, C), which the run's page shows by step, each step once."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.npy"
            np.save(path, image)
            self._put({"do": "image", "name": name, "step": step, "time": now()}, [path])

    def system(self, values: Mapping[str, float]) -> None:
        """Processor, memory, ... as they are now."""
        self._put({"do": "system", "values": dict(values), "time": now()})


class ParentRun(Run):
    """The run that holds a pipeline run's others."""

    @property
    def variables(self) -> dict[str, str]:
        """What makes a stage's run one of its children: its id, if the store has given it one by now."""
        run_id = self._box.run_id
        return {} if run_id is None else {PARENT_RUN_VARIABLE: run_id}

    @property
    def as_parent(self) -> dict[str, str]:
        """The tag that makes another parent run one of its children."""
        run_id = self._box.run_id
        return {} if run_id is None else {PARENT: run_id}

    def page(self) -> str | None:
        """The address of its page; none where the store does not answer now."""
        with suppress(Exception):  # whatever its client makes of it
            return None if self._box.run_id is None else page(self._box.run_id)
        return None

    def keep(self, files: Sequence[Path], metrics: Mapping[str, float], description: str) -> None:
        """Put files, figures and words, Markdown, into it: what its page shows first."""
        for file in files:
            self.artifact(file)
        self.metrics(metrics, 0)
        self.tags({"mlflow.note.content": description})

    def tell_data(self, root: Path) -> None:
        """What it has used: at its end that is known for certain."""
        md5 = provenance.prepared_md5(root)
        self.tags({provenance.DATA: md5})
        if md5 != provenance.UNKNOWN:
            name = params.load(root / params.FILE).dataset.name
            self.dataset_input(name, md5, str(PREPARED), "all stages")


@contextmanager
def system_metrics(run: StageRun) -> Iterator[None]:
    """Processor, memory, disk, network and GPU, as long as the run lasts."""
    over = threading.Event()
    watch = threading.Thread(target=watch_system, args=(run, over), name="system metrics", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def watch_system(run: StageRun, over: threading.Event) -> None:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    with suppress(Exception):  # MLflow's word for no GPU, or for no library to ask it by
        monitors.append(GPUMonitor())
    while not over.wait(SECONDS_BETWEEN_SYSTEM_METRICS):
        values: dict[str, float] = {}
        for monitor in monitors:
            monitor.collect_metrics()
            values |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        run.system({f"system/{name}": value for name, value in values.items()})


def settle_left() -> None:
    """Tell the store what earlier runs have left, if any has and if the store answers; else it waits for the next."""
    if outbox.is_empty(uri()):
        return
    try:
        deliver_left(uri())
    except Exception as error:  # whatever its client makes of it, it is no reason not to go on
        print(
            f"MLflow at {shown(uri())} does not take what earlier runs have left: {' '.join(str(error).split())[:200]}"
        )


def finished_run(stage: Stage, experiment: str) -> str | None:
    """The id of the run that made what `stage` has now; none where this store has not seen it run."""
    database = database_file(uri())
    if database is not None and not database.exists():
        return None
    found = find_run(experiment_id(experiment), stage.key, finished=True)
    return None if found is None else str(found.info.run_id)


def from_surroundings() -> dict[str, str]:
    parent = os.environ.get(PARENT_RUN_VARIABLE)
    return {PARENT: parent} if parent else {}


def origin(module: str) -> dict[str, str]:
    """What MLflow's tables show as a run's source and user."""
    return {"mlflow.source.name": module, "mlflow.source.type": "LOCAL", "mlflow.user": provenance.user()}


def now() -> int:
    """Milliseconds, as MLflow counts them."""
    return int(time.time() * 1000)
