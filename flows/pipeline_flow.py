"""The whole pipeline as a Prefect flow: the stages of dvc.yaml, then registration."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows import graph, remote
from flows.abandoned import known_alive
from flows.asked import asked, change_settings
from flows.choices import Dataset, Queue, Recipe, Row
from flows.commands import Outcome, Runner
from flows.processes import Processes
from flows.publish import publish, times_in_turn, to_mlflow
from flows.slots import holding
from flows.steps import Step, StepsFailed, run_steps
from flows.summary import UNCHANGED
from flows.workers import KEPT, Workers
from flows.workspace import branch_for, keep, run_workspace
from fm.errors import UserError
from pipelines.checkout_locks import running_here, settings_free
from pipelines.project import REPORTS, ROOT, cache_dir
from pipelines.records import naming, provenance
from pipelines.schemas.comparison import Comparison

if TYPE_CHECKING:
    from pipelines.records.tracking import ParentRun

RunStage = Callable[[str, Callable[[str], None]], Outcome]
"""Brings the stage of a name up to date, and passes its output on."""


# Prefect's default task runner, threads, is the right one: the work is in subprocesses.
@flow(name="pipeline", persist_result=False)
def pipeline(
    overrides: dict[str, Any] | None = None,
    recipe: Recipe | None = None,
    dataset: Dataset | None = None,
    rows: list[Row] | None = None,
    revision: str | None = None,
    queue: Queue | None = None,
) -> State[Any]:
    """Bring every stage up to date, then register the winner.

    Args:
        overrides: dotted keys of params.yaml and their values, for instance {"dataset.name": "digits"}.
        recipe: a file of recipes/ by its name, merged into params.yaml before all else.
        dataset: what dataset.name shall be.
        rows: files of methods/ by their names, to be trained and compared beside the methods of params.yaml.
        revision: a branch, tag or commit, which runs in a checkout of its own and leaves its lock file, figures and
            reports on the branch `runs/<name of the run>`. None runs here, and writes into params.yaml.
        queue: of the work pool, cpu or gpu: its workers run the stages, on as many machines as they are on; data and
            models go through DVC's remote, settings and results through git's. None runs every stage on the machine
            of this run.
    """
    try:
        with known_alive(), checkout(revision) as place, running_here(place):
            changes = asked(overrides, dataset, rows)
            with settings_free(place) if changes or recipe else nullcontext():
                change_settings(place, changes, recipe)
            name_by_settings(place)
            branch = branch_for(ROOT, str(flow_run.name), str(flow_run.id), shared=queue is not None)
            outcomes = bring_up_to_date(place, queue, branch)
            publish(place)
            return Completed(message=message(outcomes) + (kept(place, queue, branch) if place != ROOT else ""))
    except StepsFailed as error:
        return Failed(message=error.headline, data=error)
    except UserError as error:
        return Failed(message=str(error), data=error)


def name_by_settings(place: Path) -> None:
    """Call the run by its settings, unless somebody has given it a name: Prefect calls it by an animal."""
    context, name = FlowRunContext.get(), naming.of_run(place)
    if context and context.flow_run and name and re.fullmatch("[a-z]+-[a-z]+", context.flow_run.name):
        with get_client(sync_client=True) as client:
            client.set_flow_run_name(context.flow_run.id, name)
        context.flow_run.name = name


@contextmanager
def checkout(revision: str | None) -> Iterator[Path]:
    """Where the run takes place."""
    if revision is None:
        yield ROOT
        return
    with run_workspace(ROOT, cache_dir() / "runs", str(flow_run.id), revision) as place:
        get_run_logger().info("%s is commit %s", revision, provenance.commit(place))
        yield place


def kept(place: Path, queue: str | None, branch: str) -> str:
    """Put what the run has made on a branch of its own, where other machines took part on git's remote too; what to
    say of it."""
    keep(place, branch, KEPT, f"Pipeline run {flow_run.name}")
    if queue is not None:
        remote.push(place, branch)
    return f" Its lock file, figures and reports are on the branch {branch}."


def bring_up_to_date(root: Path, queue: str | None, branch: str) -> dict[str, Outcome]:
    """Run what DVC finds changed; nothing of the graph, and no MLflow run, where nothing is."""
    from pipelines.records import tracking

    environment = {provenance.FLOW_RUN_VARIABLE: str(flow_run.id), tracking.URI_VARIABLE: tracking.uri()}
    tracking.settle_left()
    forced = graph.unseen(root)
    if not graph.changes(root) and not forced:
        return run_all(root, {}, environment, holding)
    stages = graph.read(root)
    with mlflow_parent(root, flow_run.name or "pipeline") as parent:
        chosen = holding if queue is None else partial(on_workers, queue, branch)
        outcomes = run_all(root, stages, environment | parent.variables, chosen, forced)
        found = Comparison.load(root / REPORTS / "comparison.json")
        to_mlflow(parent, found, root / REPORTS, times_in_turn(root))
        if page := parent.page():
            get_run_logger().info("in MLflow: %s", page)
        return outcomes


def run_all(
    root: Path,
    stages: graph.Graph,
    environment: Mapping[str, str],
    where: Callable[[Runner], RunStage],
    forced: frozenset[str] = frozenset(),
) -> dict[str, Outcome]:
    with Processes() as processes:
        runner = Runner(root, {**os.environ, **environment}, processes, forced)
        register = Step("register", tuple(stages), partial(runner.module, "pipelines.register"))
        return run_steps([*stage_steps(where(runner), stages), register])


def stage_steps(run_stage: RunStage, stages: graph.Graph) -> list[Step]:
    return [Step(name, needs, partial(run_stage, name)) for name, needs in stages.items()]


def on_workers(queue: str, branch: str, runner: Runner) -> RunStage:
    from pipelines.records.tracking import PARENT_RUN_VARIABLE

    known = {"pipeline_run": str(flow_run.id), "mlflow_run": runner.environment.get(PARENT_RUN_VARIABLE)}
    return Workers(runner, queue, branch, known).stage


@contextmanager
def mlflow_parent(root: Path, name: str, parent: "ParentRun | None" = None) -> "Iterator[ParentRun]":
    """The MLflow run that holds the runs of the stages, itself within `parent` if that is given."""
    from pipelines.records import tracking

    above = {} if parent is None else parent.as_parent
    with tracking.parent_run(name, {provenance.FLOW_RUN: str(flow_run.id), **above}, root) as run:
        yield run


def message(outcomes: Mapping[str, Outcome]) -> str:
    stages = Counter(outcome for name, outcome in outcomes.items() if name != "register")
    if not stages:
        return UNCHANGED
    return "Stages: " + ", ".join(f"{count} {outcome.value.lower()}" for outcome, count in stages.items()) + "."
