"""The champion over HTTP by `mlflow models serve`, with what that needs to be told. `python -m pipelines.serve`."""

import argparse
import os
import sys
from pathlib import Path

from pipelines import params, tracking, versions
from pipelines.program import run


def main() -> None:
    """Becomes MLflow's server, on this machine alone. Raises UserError if there is no such version."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.serve", description="Serve a registered generator.")
    parser.add_argument("--model", default="champion", help="an alias or a version (%(default)s)")
    parser.add_argument("--port", type=int, default=5001, help="on 127.0.0.1 (%(default)s)")
    chosen = parser.parse_args()
    name = str(params.load().register_.model_name)
    version = versions.find_version(name, chosen.model)
    programs = Path(sys.executable).parent
    # MLflow starts uvicorn by its name, and no shell may have the environment on its path.
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": tracking.uri(),
    }
    print(f"{name}, version {version}: http://127.0.0.1:{chosen.port}/invocations; Ctrl-C ends it", flush=True)
    model = ["-m", f"models:/{name}/{version}", "--env-manager", "local"]
    command = ["mlflow", "models", "serve", *model, "--host", "127.0.0.1", "--port", str(chosen.port)]
    os.execve(programs / "mlflow", command, environment)


if __name__ == "__main__":
    run(main)
