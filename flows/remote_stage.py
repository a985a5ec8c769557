"""One stage on a worker of another machine, as a Prefect flow: its deployment is what a pipeline run's stages go to.

Git brings the code, the settings and the lock file; DVC's remote brings what the stage needs and takes what it makes,
its run cache too, from which the pipeline run restores it.
"""

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Crashed, Failed

from flows import slots
from flows.abandoned import known_alive
from flows.commands import Outcome, Runner
from flows.processes import Processes
from flows.steps import Step, StepsFailed, run_steps
from flows.waiting import heard
from flows.workspace import run_workspace
from fm.errors import TryLater, UserError
from pipelines.project import ROOT, cache_dir
from pipelines.records import provenance


@flow(name="stage", flow_run_name="{name}", persist_result=False)
def stage(name: str, revision: str, pipeline_run: str | None = None, mlflow_run: str | None = None) -> State[Any]:
    """Bring one stage of dvc.yaml up to date on this machine.

    Args:
        name: for instance train@diffusion.
        revision: the commit that has the settings, and the lock file of the stages before it.
        pipeline_run: the Prefect run that it is for.
        mlflow_run: the MLflow run that holds that run's stages.
    """
    try:
        with (
            known_alive(),
            run_workspace(ROOT, cache_dir() / "runs", str(flow_run.id), revision) as place,
            Processes() as processes,
        ):
            runner = Runner(place, {**os.environ, **variables(pipeline_run, mlflow_run)}, processes)
            outcome = run_steps([Step(name, (), partial(bring_up_to_date, runner, name))])[name]
    except TryLater as error:  # not the stage's fault: another try, here or elsewhere, may have more luck
        return Crashed(message=str(error))
    except (StepsFailed, UserError) as error:
        return Failed(message=str(error), data=error)
    return Completed(name=outcome.value, message=f"On {socket.gethostname()}, in {ROOT}.")


def bring_up_to_date(runner: Runner, name: str, log: Callable[[str], None]) -> Outcome:
    """Fetch what a stage needs, run it when it is this machine's turn, and put what it makes where others find it."""
    runner.pull_needs(name, log)
    with slots.held(name, runner.processes), heard(log) as listen:
        outcome = runner.stage(name, listen, pull=True)
    runner.push(name, log)
    return outcome


def variables(pipeline_run: str | None, mlflow_run: str | None) -> dict[str, str]:
    """What the stage's MLflow run is tagged with, as variables of its environment."""
    from pipelines.records import tracking

    known = {
        provenance.FLOW_RUN_VARIABLE: pipeline_run,
        tracking.PARENT_RUN_VARIABLE: mlflow_run,
        tracking.URI_VARIABLE: tracking.uri(),
    }
    return {name: value for name, value in known.items() if value is not None}
