"""Throwaway DVC projects, and a flow that runs their stages: `python -m tests.flows.project ROOT`.

It is `flows.pipeline_flow` without what belongs to this project alone: settings, MLflow, registration.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import graph
from flows.abandoned import known_alive
from flows.commands import Outcome, Runner
from flows.pipeline_flow import stage_steps
from flows.processes import Processes
from flows.program import terminate
from flows.server import use_api
from flows.steps import StepsFailed, run_steps

DIAMOND = """
first: {cmd: echo 1 > first.txt, outs: [first.txt]}
left: {cmd: PYTHON side.py left, deps: [first.txt, side.py], outs: [left.txt]}
right: {cmd: PYTHON side.py right, deps: [first.txt, side.py], outs: [right.txt]}
last: {cmd: cat left.txt right.txt > last.txt, deps: [left.txt, right.txt], outs: [last.txt]}
"""

# Each side waits until the other one has started: they end only if they run at the same time.
SIDE = """
import pathlib, sys, time
me, other = sys.argv[1], {"left": "right", "right": "left"}[sys.argv[1]]
pathlib.Path(me + ".started").touch()
deadline = time.monotonic() + 60
while not pathlib.Path(other + ".started").exists():
    assert time.monotonic() < deadline, "ran alone"
    time.sleep(0.05)
print(me, "has met", other)
pathlib.Path(me + ".txt").write_text(me)
"""


def make(root: Path, stages: str, **files: str) -> Path:
    """A git and DVC project with these stages in dvc.yaml; PYTHON in their commands is this Python."""
    root.mkdir(parents=True)
    (root / "dvc.yaml").write_text("stages:\n" + indent(dedent(stages), "  ").replace("PYTHON", sys.executable))
    for name, content in ({"side": SIDE} | files).items():
        (root / f"{name}.py").write_text(dedent(content))
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run([graph.DVC, "init", "--quiet"], cwd=root, check=True)
    return root


def run(root: Path) -> dict[str, Outcome]:
    with Processes(grace=5) as processes:
        return run_steps(stage_steps(Runner(root, os.environ, processes).stage, graph.read(root)))


@flow
def stages(root: Path) -> State:
    try:
        with known_alive():
            outcomes = run(root)
    except StepsFailed as error:
        return Failed(message=error.headline, data=error)
    return Completed(message=" ".join(f"{name}={outcome.value}" for name, outcome in outcomes.items()))


def main() -> int:
    signal.signal(signal.SIGTERM, terminate)
    try:
        use_api()
        state = stages(Path(sys.argv[1]), return_state=True)
    except KeyboardInterrupt:
        return 130
    print(state.message if state.is_completed() else state.result(raise_on_failure=False))
    return 0 if state.is_completed() else 1


if __name__ == "__main__":
    sys.exit(main())
