"""Runs data of several kinds through all stages and commands, one kind after the other in one process: what a process
imports takes longer than what these small runs compute. `python -m tests.all_stages [KIND ...]` in its own checkout.

What each leaves lies in `runs/<kind>/` afterwards.
"""

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fm.errors import UserError
from fm.metrics.extractors.space_time import SpaceTime
from pipelines import compare, demo, evaluate, features, params, prepare, register, resolve, train
from pipelines.demo import Wanted
from pipelines.export import __main__ as export
from pipelines.generate import __main__ as generate
from pipelines.project import METRICS, REPORTS, SAMPLES
from pipelines.registry.versions import find

FIELDS: dict[str, Any] = {"name": "turbulence", "options": {"train": 80, "test": 40, "side": 8, "time": 0.1}}
KINDS: dict[str, dict[str, Any]] = {
    "fields": FIELDS,
    "videos": {"name": "own.shapes:Flights", "condition": {"kind": "first_frames", "count": 2}},
    "volumes": {"name": "own.shapes:Boxes"},
}
RUNS = Path("runs")


def main() -> None:
    SpaceTime.least_steps, SpaceTime.epochs = 40, 1  # how well it judges is tried elsewhere
    settings = yaml.safe_load(params.FILE.read_text())
    for kind in sys.argv[1:] or list(KINDS):
        of_kind = {"dataset": {**settings["dataset"], **KINDS[kind]}, "probe": {"images": 4, "steps": 20, "rounds": 4}}
        content = {**settings, **of_kind}
        params.FILE.write_text(yaml.safe_dump(content, sort_keys=False))
        run(RUNS / kind)


def run(folder: Path) -> None:
    folder.mkdir(parents=True)
    for stage in (resolve, prepare, features):
        stage.main()
    for method in params.load().methods:
        train.main(method)
        evaluate.main(method)
    compare.main()
    register.main()
    command(generate.main, "--count", "4", "--out", str(folder / "made.npz"))
    command(generate.main, "--count", "2", "--out", str(folder / "files"))
    told = {to: refused(export.main, "champion", str(folder / to), "--to", to) for to in ("diffusers", "torch")}
    (folder / "export.json").write_text(json.dumps(told))
    (folder / "demo.json").write_text(json.dumps(drawn()))
    (folder / "served.json").write_text(json.dumps(served()))
    for made in (METRICS, REPORTS, SAMPLES):
        shutil.copytree(made, folder / made.name)


def command(main: Callable[[], None], *arguments: str) -> None:
    sys.argv[1:] = arguments
    main()


def refused(main: Callable[[], None], *arguments: str) -> str:
    """What a command says why it does not do it; nothing where it does."""
    try:
        command(main, *arguments)
    except UserError as error:
        return str(error)
    return ""


def drawn() -> list[str]:
    """How the sheets of the demo begin."""
    known = demo.trained(params.load())
    wanted = Wanted.of({**demo.DEFAULTS, "evaluations": "2", "count": "2"}, [], known)
    return [one.sheet[:22] for one in demo.draw_all(known, wanted)]


def served() -> list[int]:
    """The shape of what the champion answers by MLflow."""
    import mlflow

    name, version = find("champion")
    with contextlib.redirect_stderr(io.StringIO()):
        model = mlflow.pyfunc.load_model(f"models:/{name}/{version}")
    return list(np.shape(model.predict([{}], params={"num_samples": 2, "seed": 1})))


if __name__ == "__main__":
    main()
