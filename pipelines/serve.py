"""The champion over HTTP by `mlflow models serve`, with what that needs to be told. `python -m pipelines.serve`."""

import argparse
import os
import sys
from pathlib import Path

from pipelines import params
from pipelines.program import run
from pipelines.project import cache_dir, whole_folder
from pipelines.records import tracking
from pipelines.registry import saved_models, versions


def main() -> None:
    """Becomes MLflow's server, on this machine alone.

    Raises:
        UserError: there is no such version, or it is not what was registered.
        TryLater: MLflow does not answer.
    """
    parser = argparse.ArgumentParser(prog="python -m pipelines.serve", description="Serve a registered generator.")
    parser.add_argument("--model", default="champion", help="an alias or a version (%(default)s)")
    parser.add_argument("--port", type=int, default=5001, help="on 127.0.0.1 (%(default)s)")
    chosen = parser.parse_args()
    name = params.load().register_.model_name
    version = versions.find_version(name, chosen.model)
    place = cache_dir() / "served" / f"{name}-{version}"
    with versions.asking(), whole_folder(place) as partial:
        saved_models.fetch_whole(name, version, partial)
    programs = Path(sys.executable).parent
    # MLflow starts uvicorn by its name, and no shell may have the environment on its path.
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": tracking.uri(),
    }
    print(f"{name}, version {version}: http://127.0.0.1:{chosen.port}/invocations; Ctrl-C ends it", flush=True)
    model = ["-m", str(place), "--env-manager", "local"]
    command = ["mlflow", "models", "serve", *model, "--host", "127.0.0.1", "--port", str(chosen.port)]
    os.execve(programs / "mlflow", command, environment)


if __name__ == "__main__":
    run(main)
