"""A generator in the format of others.

python -m pipelines.export fashion-mnist-generator@champion --to diffusers exported/     a folder that diffusers loads
python -m pipelines.export artifacts/models/mean_flow --to torch exported/ --steps 1 2 4      a program of torch.export
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fm.components import ANY, Choice, read
from fm.errors import UserError
from pipelines.program import run
from pipelines.project import whole_folder

if TYPE_CHECKING:
    from fm.generator import Generator

FORMATS = ("diffusers", "torch")


def main() -> None:
    """Raises UserError: there is no such model, or what it is cannot be said in that format."""
    chosen = arguments().parse_args()
    if chosen.folder.exists():
        raise UserError(f"{chosen.folder} is there already: name a folder that is not")
    from pipelines.export import to_diffusers, to_torch
    from pipelines.export.files import texts_of
    from pipelines.registry import saved_models

    model = saved_models.load(chosen.model, chosen.own).to("cpu")
    try:
        generators = [model.adjusted(steps, chosen.solver, chosen.guidance) for steps in chosen.steps or [None]]
        with whole_folder(chosen.folder) as partial:
            (to_torch if chosen.to == "torch" else to_diffusers).write(generators, partial)
    except ValueError as error:  # a solver that can't walk the model's path
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"can't write {chosen.folder}: {error.strerror or error}") from None
    print(sampler_of(generators))
    print(used(chosen.to, chosen.folder))
    if (texts := texts_of(generators[0])) is not None:
        print(f"asked by prompt_embeds and prompt_attention_mask: the encoder {texts.encoder.name} stays here")


def sampler_of(generators: "Sequence[Generator]") -> str:
    """What the folder draws with, told since it may be other than was thought: the model's own."""
    samplers = [one.config.sampler for one in generators]
    return f"sampler: {samplers[0].label}, steps: {', '.join(str(one.steps) for one in samplers)}"


def used(to: str, folder: Path) -> str:
    """What to do with it then."""
    if to == "torch":
        return f"python {folder / 'sample.py'} images.npy; python -m pipelines.serve --model {folder}"
    loaded = f'"{folder}", custom_pipeline="{folder}", trust_remote_code=True'
    return f"diffusers.DiffusionPipeline.from_pretrained({loaded})"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="an alias, a version, MODEL@either, or a folder")
    parser.add_argument("folder", type=Path, help="where it is written, a folder that is not there yet")
    parser.add_argument("--to", choices=FORMATS, required=True, help="the format")
    parser.add_argument(
        "--steps", type=int, nargs="+", help="of the solver, one sampler each; the model's own if left out"
    )
    parser.add_argument("--solver", type=solver, help="instead of the model's own")
    parser.add_argument("--guidance", type=float, help="instead of the model's own; 1 means none")
    parser.add_argument(
        "--own",
        nargs="+",
        default=(),
        metavar="MODULE:CLASS",
        help="what the model needs that is not the library's, if you trust it",
    )
    return parser


def solver(text: str) -> Choice:
    try:
        return read("solver", text, ANY)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    run(main)
