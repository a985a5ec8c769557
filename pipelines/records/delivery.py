"""Tell MLflow what outboxes hold: in order, once, and however long the store takes to answer.

A training never waits for its store: a thread delivers beside it. What cannot be delivered stays in the outbox, and
the next run delivers it first.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fm.errors import TryLater, UserError
from pipelines.records import mlflow_store, outbox
from pipelines.records.mlflow_store import client, experiment_id, find_run
from pipelines.records.outbox import Outbox

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT = "mlflow.parentRunId"
REFUSALS = (
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
)
"""MLflow's codes for what it will not take later either."""
PATIENCE = 150.0
"""Seconds without any success before a run that has ended stops trying; a database may be locked for a minute."""
SLOWEST = 10.0
"""Seconds between two tries, at most."""
SYSTEM = "system/"


class Delivery:
    """Tells the present store what one outbox holds."""

    def __init__(self, box: Outbox) -> None:
        self.box = box
        self.resumed = False
        self.refused: list[str] = []
        self._next: deque[Path] = deque()
        self._steps: dict[tuple[str, str], set[int]] = {}
        self._images: defaultdict[str, set[int]] | None = None

    def next(self) -> bool:
        """Deliver the message whose turn it is; whether there was one.

        Raises:
            Exception: the store does not answer, or not as it should. The message still waits.
        """
        from mlflow.exceptions import MlflowException

        if not self._next:
            self._next.extend(self.box.waiting())
        if not self._next:
            return False
        message = self._next[0]
        try:
            self.tell(outbox.read(message), Outbox.files(message))
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
            self.refused.append(" ".join(str(error).split()))
        Outbox.remove(message)
        self._next.popleft()
        return True

    def tell(self, message: dict[str, Any], files: list[Path]) -> None:
        if message["do"] == "begin":
            self.begin(message)
            return
        run_id, store = self.box.run_id, client()
        if run_id is None:  # the store refused to begin it
            return
        match message["do"]:
            case "tags":
                for name, value in message["values"].items():
                    store.set_tag(run_id, name, value)
            case "params":
                log_params(store, run_id, message["values"])
            case "metrics":
                self.metrics(run_id, message["values"], message["step"], message["time"])
                if (whole := message.get("whole")) and (parent := parent_of(store, run_id)):
                    self.metrics(parent, whole, message["step"], message["time"])
            case "system":
                # Step by step whenever they are told: a resumed run goes on where it was.
                step = max(self.steps_of(run_id, next(iter(message["values"]))), default=-1) + 1
                self.metrics(run_id, message["values"], step, message["time"])
            case "image":
                self.image(run_id, message, np.load(files[0]))
            case "artifacts":
                for file in files:
                    log = store.log_artifacts if file.is_dir() else store.log_artifact
                    log(run_id, str(file), message["folder"])
            case "input":
                log_dataset(store, run_id, **message["values"])
            case "end":
                store.set_terminated(run_id, message["status"], message["time"])

    def begin(self, message: dict[str, Any]) -> None:
        container = experiment_id(message["experiment"])
        unfinished = find_run(container, message["key"], finished=False) if message["resume"] else None
        if unfinished is None:
            made = client().create_run(container, message["time"], message["tags"], called(message))
            self.box.run_id = str(made.info.run_id)
            return
        self.resumed, run_id = True, str(unfinished.info.run_id)
        print(f"resuming MLflow run {run_id}", flush=True)
        client().update_run(run_id, status="RUNNING")
        for name, value in message["tags"].items():
            client().set_tag(run_id, name, value)
        self.box.run_id = run_id

    def metrics(self, run_id: str, values: dict[str, float], step: int, when: int) -> None:
        from mlflow.entities import Metric

        fresh = [name for name in values if step not in self.steps_of(run_id, name)]
        client().log_batch(run_id, metrics=[Metric(name, values[name], when, step) for name in fresh])
        for name in fresh:
            self._steps[run_id, name].add(step)

    def image(self, run_id: str, message: dict[str, Any], image: Any) -> None:
        if self._images is None:
            self._images = image_steps(client(), run_id)
        name, step = message["name"], message["step"]
        if step not in self._images[name]:
            client().log_image(run_id, image, key=name, step=step, timestamp=message["time"])
            self._images[name].add(step)

    def steps_of(self, run_id: str, name: str) -> set[int]:
        if (run_id, name) not in self._steps:
            history = client().get_metric_history(run_id, name)
            self._steps[run_id, name] = {metric.step for metric in history}
        return self._steps[run_id, name]


class Courier(threading.Thread):
    """Delivers one outbox while its run goes on, after those that runs which are gone have left.

    Attributes:
        failure: why the last try failed; None if it did not.
    """

    def __init__(self, box: Outbox) -> None:
        super().__init__(name="courier", daemon=True)
        self.delivery = Delivery(box)
        self.box = box
        self.store = mlflow_store.uri()
        self.begun = threading.Event()
        self.failure: Exception | None = None
        self.progress = time.monotonic()
        self.tries = 0
        self._news = threading.Event()
        self._closing = False
        self._given_up = False

    def notify(self) -> None:
        """There is a new message."""
        self._news.set()

    def run(self) -> None:
        pause, left = 0.5, True
        while not self._given_up:
            self._news.clear()
            try:
                if left:
                    deliver_left(self.store, self.progressed)
                    left = False
                while not self._given_up and self.delivery.next():
                    self.progressed()
                self.progressed()
                pause = 0.5
                if self._closing and not self.box.waiting():
                    return
                self._news.wait()
            except Exception as error:  # whatever the store or its client makes of it, the run goes on
                self.failure = error
                self.tries += 1
                time.sleep(pause)
                pause = min(2 * pause, SLOWEST)

    def progressed(self) -> None:
        self.failure = None
        self.progress = time.monotonic()
        if self.box.run_id is not None:
            self.begun.set()

    def run_id(self, seconds: float = PATIENCE) -> str:
        """The run's id, waiting for it. Raises UserError, TryLater where the store gives none."""
        if not self.wait_for_begin(seconds):
            raise TryLater(self.complaint())
        run_id = self.box.run_id
        assert run_id is not None
        return run_id

    def wait_for_begin(self, seconds: float) -> bool:
        """Whether the store has begun the run within some seconds.

        Raises:
            UserError: it can only be begun when somebody has mended something.
        """
        deadline = time.monotonic() + seconds
        while not self.begun.wait(0.05):
            if isinstance(self.failure, UserError) and not isinstance(self.failure, TryLater):
                raise self.failure
            if self.delivery.refused:
                raise UserError(f"MLflow ({mlflow_store.shown(self.store)}): {self.delivery.refused[0]}")
            if time.monotonic() > deadline:
                return False
        return True

    def give_up(self) -> None:
        """Deliver nothing more."""
        self._given_up = True
        self.notify()

    def close(self, patience: float = PATIENCE) -> None:
        """Wait until all is delivered, or until nothing has been for `patience` seconds; then say what is not.

        A store that has been away for long is tried once more.
        """
        if not self.begun.is_set() and mlflow_store.database_file(self.store) is None:
            patience = 0  # a server that has not answered once, perhaps not even with a failure
        self._closing = True
        self.notify()
        tries, closed = self.tries, time.monotonic()
        while self.is_alive():
            self.join(0.1)
            now = time.monotonic()
            if now - self.progress > patience and (self.tries > tries or now - closed > 2 * SLOWEST):
                self.give_up()
                break
        if waiting := len(self.box.waiting()):
            print(
                f"{self.complaint()}: {waiting} entries of this run are kept in {self.box.folder}, "
                "and the next run delivers them",
                flush=True,
            )
        if refused := self.delivery.refused:
            print(f"MLflow refused {len(refused)} entries of this run, the first: {refused[0]}", flush=True)

    def complaint(self) -> str:
        why = f" ({' '.join(str(self.failure).split())[:200]})" if self.failure else ""
        return f"MLflow at {mlflow_store.shown(self.store)} does not answer as it should{why}"


def deliver_left(store: str, progressed: Callable[[], None] = lambda: None) -> None:
    """Deliver what runs have left that are gone, and end those of them that did not: they were killed.

    Args:
        progressed: called after each message.

    Raises:
        Exception: the store does not answer, or not as it should.
    """
    for box in outbox.abandoned(store):
        delivery = Delivery(box)
        try:
            while delivery.next():
                progressed()
            end_killed(box.run_id)
        except UserError:  # for somebody to mend; others need not wait for that
            continue
        outbox.discard(box)


def end_killed(run_id: str | None) -> None:
    """End a run that nobody has ended."""
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return
    try:
        if client().get_run(run_id).info.status == "RUNNING":
            client().set_terminated(run_id, "KILLED")
    except MlflowException as error:
        if error.error_code not in REFUSALS:
            raise


def parent_of(store: "MlflowClient", run_id: str) -> str | None:
    """The run that a run is a part of."""
    parent: str | None = store.get_run(run_id).data.tags.get(PARENT)
    return parent


def called(message: dict[str, Any]) -> str:
    """A stage's name, and that of the run it is a part of, or else what its own would be: ten trainings have ten names.
    A run that is no stage's has a name of its own."""
    from mlflow.exceptions import MlflowException

    name, whole = message["name"], message.get("part_of")
    if parent := message["tags"].get(PARENT):
        try:
            whole = client().get_run(parent).info.run_name
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
    return f"{name}: {whole}" if "part_of" in message and whole else str(name)


def log_params(store: "MlflowClient", run_id: str, values: dict[str, str]) -> None:
    from mlflow.entities import Param

    store.log_batch(run_id, params=[Param(name, value) for name, value in values.items()])


def log_dataset(store: "MlflowClient", run_id: str, name: str, digest: str, source: str, context: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name, digest, source_type="local", source=source)
    store.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])


def image_steps(store: "MlflowClient", run_id: str) -> defaultdict[str, set[int]]:
    """Image name -> the steps it was logged at, from the names MLflow gives the files."""
    steps: defaultdict[str, set[int]] = defaultdict(set)
    for file in store.list_artifacts(run_id, "images"):
        name, separator, rest = Path(file.path).name.partition("+step+")
        if separator:
            steps[name.replace("~", "/")].add(int(rest.partition("+")[0]))
    return steps
