"""The champion over HTTP by `mlflow models serve`, with what that needs to be told, or what lies in a folder.
`python -m pipelines.serve`."""

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import params
from pipelines.program import run
from pipelines.project import cache_dir, whole_folder
from pipelines.records import tracking
from pipelines.registry import model_version, saved_models, versions

if TYPE_CHECKING:
    from fm.conditions import Conditioner


def main() -> None:
    """Becomes MLflow's server, on this machine alone.

    Raises:
        UserError: there is no such version, or it is not what was registered, or the encoder of its texts is not to be
            had.
        TryLater: MLflow does not answer.
    """
    parser = argparse.ArgumentParser(prog="python -m pipelines.serve", description="Serve a registered generator.")
    parser.add_argument(
        "--model",
        default="champion",
        help="an alias or a version (%(default)s), or a folder: a generator's, or one of pipelines.export --to torch, "
        "which is code, so let it be yours",
    )
    parser.add_argument("--port", type=int, default=5001, help="on 127.0.0.1 (%(default)s)")
    chosen = parser.parse_args()
    name, place = laid_out(chosen.model)
    programs = Path(sys.executable).parent
    # MLflow starts uvicorn by its name, and no shell may have the environment on its path.
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": tracking.uri(),
    }
    print(f"{name}: http://127.0.0.1:{chosen.port}/invocations; Ctrl-C ends it", flush=True)
    model = ["-m", str(place), "--env-manager", "local"]
    command = ["mlflow", "models", "serve", *model, "--host", "127.0.0.1", "--port", str(chosen.port)]
    os.execve(programs / "mlflow", command, environment)


def laid_out(model: str) -> tuple[str, Path]:
    """What is served, as people call it, and the folder from which MLflow runs it."""
    if Path(model).is_dir() or "/" in model:
        return model, of_folder(Path(model))
    from fm.components import ANY
    from fm.conditions import Conditioner
    from fm.generator_files import read_config

    name = params.load().register_.model_name
    version = versions.find_version(name, model)
    place = cache_dir() / "served" / f"{name}-{version}"
    with versions.asking(), whole_folder(place) as partial:
        saved_models.fetch_whole(name, version, partial)
        config = read_config(partial / model_version.ARTIFACTS / saved_models.generator_folder(), ANY)
        require_encoder(Conditioner.of(config.conditioner, ANY))
    return f"{name}, version {version}", place


def of_folder(folder: Path) -> Path:
    """A generator that nobody registered, laid out as a registered one is."""
    from fm import exported
    from fm.generator import Generator

    generator = exported.load(folder) if exported.is_there(folder) else Generator.load(folder)
    require_encoder(generator.conditioner)
    place = cache_dir() / "served" / "folders" / name_of(folder)
    with whole_folder(place) as partial:
        model_version.save(generator, folder, partial)
    return place


def require_encoder(conditioner: "Conditioner") -> None:
    """That what reads a model's texts is here, and fetched if need be: of a server that does not start, the reason is
    hard to find. Raises EncoderError."""
    from fm.conditions import Text

    if isinstance(conditioner, Text):
        conditioner.read(["a text"])


def name_of(folder: Path) -> str:
    """Another for each folder: two of one name can be served side by side."""
    where = folder.resolve()
    return f"{where.name}-{hashlib.sha256(bytes(where)).hexdigest()[:16]}"


if __name__ == "__main__":
    run(main)
