"""A study as a Prefect flow: the trials of a file in studies/, each a pipeline run in a checkout beside the user's.

`python -m flows.study --quick` runs it here and now. It can be stopped at any point: a trial that is done is not done
again, a stage that is done is restored from DVC's cache, and a training goes on at its last checkpoint.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows import graph, program, settings
from flows.abandoned import known_alive
from flows.commands import Runner, StepFailed
from flows.pipeline_flow import mlflow_parent, stage_steps
from flows.processes import Processes
from flows.publish import publish_study, to_mlflow
from flows.server import use_api
from flows.slots import holding
from flows.steps import StepsFailed, run_steps
from flows.workspace import keep, workspace
from fm.errors import UserError
from pipelines import params
from pipelines.project import ROOT, cache_dir, require_repository
from pipelines.records import provenance
from pipelines.schemas.comparison import Comparison
from pipelines.study import collect, plan
from pipelines.study.plan import Trial
from pipelines.words import duration, roughly

if TYPE_CHECKING:
    from pipelines.records.tracking import ParentRun

# Settings that change what is learned and not how long it takes.
FREE = (*plan.SEEDS, "train.learning_rate")


@dataclass(frozen=True)
class Bench:
    """Where a study's trials run.

    Attributes:
        home: the checkout in which what they find is kept.
        place: the checkout in which they run.
        code: names what is in it (pipelines.study.collect.code), whatever becomes of the user's meanwhile.
        pristine: its params.yaml as it was before the trials.
    """

    study: str
    home: Path
    place: Path
    code: str
    pristine: str
    environment: Mapping[str, str]

    @contextmanager
    def runner(self, more: Mapping[str, str] | None = None) -> Iterator[Runner]:
        """Runs commands there. Leaving ends them, which a flow has to do before Prefect waits for its tasks."""
        with Processes() as processes:
            yield Runner(self.place, {**self.environment, **(more or {})}, processes)

    def settings_of(self, trial: Trial) -> str:
        """The text of params.yaml for a trial. Raises ParamsError where it says what cannot be."""
        text = settings.merged(self.pristine, {}, trial.overrides, self.place)
        path = params.parse(yaml.safe_load(text), f"study {self.study}, {trial.name}").dataset.path
        if (self.place / path).exists():
            return text
        # A folder of images that git does not have lies in the user's checkout alone.
        return settings.merged(text, {}, {"dataset.path": str(ROOT / path)})

    def key(self, trial: Trial) -> str:
        return collect.key(self.settings_of(trial), self.code)

    def is_done(self, trial: Trial) -> bool:
        return collect.is_done(collect.folder(self.home, self.study, trial), self.key(trial))

    def set_up(self, trial: Trial) -> None:
        (self.place / params.FILE).write_text(self.settings_of(trial), encoding="utf-8")
        collect.clear(self.place, trial.overrides["methods"])


# Prefect's default task runner, threads, is the right one: the work is in subprocesses.
@flow(name="study", flow_run_name="{name}", persist_result=False)
def study(name: str = "full", revision: str | None = None) -> State[Any]:
    """Run what is not done yet of studies/<name>.yaml, then judge every claim over all its trials.

    Args:
        name: of a file in studies/, without its suffix.
        revision: a branch, tag or commit, which runs as it is; what is found is on the branch runs/NAME, and nothing
            in the checkout. None runs the checkout as it is now, and puts what is found into its reports/studies.
    """
    try:
        with known_alive(), open_bench(name, revision) as bench:
            trials = plan.trials(plan.load(name, bench.place), bench.place)
            with mlflow_parent(bench.place, f"study {name}") as parent:
                message = carry_out(bench, trials, parent)
            if bench.home == bench.place:
                keep(bench.place, branch(name), [collect.STUDIES / name], f"Study {name}")
                message += f" What they found is on the branch {branch(name)}."
    except (UserError, StepFailed, StepsFailed) as error:
        return Failed(message=str(error), data=error)
    return Completed(message=message)


def branch(name: str) -> str:
    return f"runs/{name}"


def carry_out(bench: Bench, trials: Sequence[Trial], parent: "ParentRun") -> str:
    """Run the trials that are not done and judge; what to say of it. Raises UserError where trials fail."""
    waiting = [trial for trial in trials if not bench.is_done(trial)]
    tell_plan(bench, trials, waiting)
    failed = [trial.name for trial in waiting if not run_trial(bench, trial, parent)]
    if failed:
        raise UserError(f"Failed: {', '.join(failed)}. Run again when that is mended: the rest is done.")
    report(bench, trials[0], parent)
    return f"{len(trials)} trials, of which {len(waiting)} ran now."


@contextmanager
def open_bench(name: str, revision: str | None) -> Iterator[Bench]:
    from pipelines.records import tracking

    plan.require_name(name)
    deployed = revision is not None
    folder = cache_dir() / "studies" / (f"{name}-of-a-revision" if deployed else name)
    environment = {**os.environ, tracking.URI_VARIABLE: tracking.uri(), provenance.FLOW_RUN_VARIABLE: str(flow_run.id)}
    with workspace(ROOT, folder, revision) as place:
        pristine = (place / params.FILE).read_text(encoding="utf-8")
        yield Bench(name, place if deployed else ROOT, place, collect.code(place), pristine, environment)


def tell_plan(bench: Bench, trials: Sequence[Trial], waiting: Sequence[Trial]) -> None:
    """What will run and how long it should take, by rates measured on this machine."""
    log = get_run_logger().info
    log("study %s: %d trials, %d of them done", bench.study, len(trials), len(trials) - len(waiting))
    total = 0.0
    for arm in dict.fromkeys(trial.arm for trial in waiting):
        alike: dict[str, list[Trial]] = {}
        for trial in waiting:
            if trial.arm == arm:
                alike.setdefault(json.dumps(costly(trial), sort_keys=True), []).append(trial)
        seconds = sum(len(group) * estimated(bench, group[0]) for group in alike.values())
        total += seconds
        log("  %s: %d trials, about %s", arm, sum(map(len, alike.values())), roughly(seconds))
    log("about %s in all, less what is trained already", roughly(total))


def costly(trial: Trial) -> dict[str, Any]:
    return {key: value for key, value in trial.overrides.items() if key not in FREE}


def estimated(bench: Bench, trial: Trial) -> float:
    bench.set_up(trial)
    lines: list[str] = []
    with bench.runner() as runner:
        there = graph.read(bench.place)
        for stage in graph.with_needs(there, ["encode" if "encode" in there else "prepare"]):
            runner.stage(stage, lambda line: None)
        runner.run("estimate", [sys.executable, "-m", "pipelines.estimate"], lines.append)
    taken: dict[str, float] = json.loads(lines[-1])
    return sum(seconds for stage, seconds in taken.items() if trial.compares or not stage.startswith("compare"))


def run_trial(bench: Bench, trial: Trial, parent: "ParentRun") -> bool:
    """One trial as a flow run of its own; whether all went well."""
    started = time.monotonic()

    @flow(name="trial", flow_run_name=trial.name, persist_result=False)
    def one() -> State[Any]:
        try:
            bench.set_up(trial)
            bring_up_to_date(bench, "compare" if trial.compares else "evaluate", parent)
        except StepsFailed as error:
            return Failed(message=error.headline, data=error)
        record = collect.Record(
            name=trial.name,
            key=bench.key(trial),
            commit=provenance.commit(bench.place),
            seconds=time.monotonic() - started,
        )
        collect.gather(bench.place, collect.folder(bench.home, bench.study, trial), record)
        return Completed(message=f"Took {duration(record.seconds)}.")

    return bool(one(return_state=True).is_completed())


def bring_up_to_date(bench: Bench, last: str, parent: "ParentRun") -> None:
    """The stages called `last`, and all that they need."""
    stages = graph.read(bench.place)
    wanted = graph.with_needs(stages, [name for name in stages if name.partition("@")[0] == last])
    with (
        mlflow_parent(bench.place, str(flow_run.name), parent) as run,
        bench.runner(run.variables) as runner,
    ):
        run_steps(stage_steps(holding(runner), wanted))


def report(bench: Bench, first: Trial, parent: "ParentRun") -> None:
    """Judge, with the first trial's outputs for pictures: they come out of DVC's cache."""
    bench.set_up(first)
    log: Callable[[str], None] = partial(get_run_logger().info, "%s")
    bring_up_to_date(bench, "compare", parent)
    command = [sys.executable, "-m", "pipelines.study.report", bench.study, str(bench.home)]
    with bench.runner() as runner:
        runner.run("report", command, log)
    folder = collect.reports(bench.home, bench.study)
    found = Comparison.load(folder / "comparison.json")
    to_mlflow(parent, found, folder)
    publish_study(bench.study, found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.study", description="Run a study here and now.")
    parser.add_argument("name", nargs="?", default="full", help="a file of studies/, without its suffix (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="the study quick, of ten minutes")
    chosen = parser.parse_args()
    name = "quick" if chosen.quick else chosen.name

    def start() -> str:
        # Before Prefect's start, which takes seconds:
        require_repository()
        plan.trials(plan.load(name))
        use_api()
        state = program.completed(study(name, return_state=True))
        return f"{state.message}\n{collect.reports(ROOT, name) / 'report.html'}"

    return program.run(start)


if __name__ == "__main__":
    sys.exit(main())
