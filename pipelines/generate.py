"""Images from the champion, or from a generator's folder, as one PNG.

python -m pipelines.generate --label 3 --count 64 --out bags.png
"""

import argparse
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fm.errors import UserError
from fm.names import SOLVERS
from pipelines import params
from pipelines.program import run

if TYPE_CHECKING:
    from fm.generator import Generator


def main() -> None:
    chosen = arguments().parse_args()
    from fm import images
    from fm.generator import Generator

    generator = Generator.load(chosen.model) if chosen.model else champion()
    labels = wanted(chosen.label, generator, chosen.count)
    made = generator.sample(chosen.count, chosen.seed, labels, steps=chosen.steps, solver=chosen.solver)
    sheet = images.grid(made, columns=math.ceil(math.sqrt(chosen.count)))
    try:
        images.save_png(sheet, chosen.out)
    except OSError as error:
        raise UserError(f"can't write {chosen.out}: {error.strerror or error}") from None
    print(f"{chosen.count} images in {chosen.out}")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.generate", description="Make images, as one PNG.")
    parser.add_argument("--label", help="a label's number or name; all labels in turn if left out")
    parser.add_argument("--count", type=positive, default=64, help="how many images (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("images.png"), help="the file to write (%(default)s)")
    parser.add_argument("--model", type=Path, help="a generator's folder, instead of the champion")
    parser.add_argument("--seed", type=natural, default=0, help="other noise, other images (%(default)s)")
    parser.add_argument("--steps", type=positive, help="steps of the solver, instead of the model's own")
    parser.add_argument("--solver", choices=tuple(SOLVERS), help="instead of the model's own")
    return parser


def natural(text: str) -> int:
    return at_least(0, text)


def positive(text: str) -> int:
    return at_least(1, text)


def at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number and at least {least}, not {text!r}")
    return int(text)


def wanted(label: str | None, generator: "Generator", count: int) -> list[int] | None:
    """One label for each image; none for all labels in turn."""
    if label is None:
        return None
    try:
        return [generator.label_number(label)] * count
    except ValueError as error:
        raise UserError(f"--label: {error}") from None


def champion() -> "Generator":
    """The registered model's champion, fetched from where MLflow keeps it."""
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    from fm.generator import Generator
    from pipelines import tracking
    from pipelines.served_model import GENERATOR

    name = params.load().register_.model_name
    try:
        version = tracking.client().get_model_version_by_alias(name, "champion").version
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise UserError(f"{name} has no champion yet: run `make run`, or name a folder with --model") from None
    print(f"{name}, version {version}")
    with tempfile.TemporaryDirectory() as folder:
        uri = f"models:/{name}/{version}/artifacts/{GENERATOR}"
        return Generator.load(download_artifacts(artifact_uri=uri, dst_path=folder, tracking_uri=tracking.uri()))


if __name__ == "__main__":
    run(main)
