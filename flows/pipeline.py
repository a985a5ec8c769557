"""The whole pipeline here and now: `python -m flows.pipeline`, which is what `make run` does.

Prefect takes seconds to import and its server more to start: a mistake in the settings, and that nothing has changed,
is said without them, and no run is recorded of either.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from flows import graph, program, settings, summary
from flows.asked import planned
from flows.commands import Runner
from flows.processes import Processes
from flows.summary import UNCHANGED
from pipelines import params, yaml_reading
from pipelines.checkout_locks import running_here, settings_free
from pipelines.project import ROOT, require_repository
from pipelines.records import tracking


def main() -> int:
    chosen = arguments().parse_args()
    return program.run(partial(run, chosen.overrides, chosen.recipe))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description="Run the pipeline here and now.")
    parser.add_argument("--recipe", help="a file of recipes/ by its name, merged into params.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings written into params.yaml")
    return parser


def run(given: Sequence[str], recipe: str | None) -> str:
    """Bring everything up to date; what came of it. Raises UserError and Explained."""
    overrides = settings.from_arguments(given)
    text = planned(ROOT, overrides, recipe)
    require_repository()
    with running_here(ROOT):
        with settings_free(ROOT) if overrides or recipe else nullcontext():
            pass
        if text == yaml_reading.text(ROOT / params.FILE) and is_up_to_date():
            register()
            return f"{UNCHANGED}\n\n{summary.text(ROOT)}"
    params.require_keys(params.parse(yaml_reading.content(text)).dataset)
    return f"{run_flow(overrides, recipe)}\n\n{summary.text(ROOT)}"


def is_up_to_date() -> bool:
    return not graph.unseen(ROOT) and not graph.changes(ROOT)


def register() -> None:
    """Also where nothing has changed: a registration may have been cut short, or the registry be another."""
    tracking.settle_left()
    with Processes() as processes:
        runner = Runner(ROOT, {**os.environ, tracking.URI_VARIABLE: tracking.uri()}, processes)
        runner.module("pipelines.register", partial(print, flush=True))


def run_flow(overrides: Mapping[str, Any], recipe: str | None) -> str:
    """Run the Prefect flow; its message."""
    from flows.pipeline_flow import pipeline
    from flows.server import use_api

    use_api()
    state = program.completed(pipeline(dict(overrides), recipe, return_state=True))
    return str(state.message)


if __name__ == "__main__":
    sys.exit(main())
