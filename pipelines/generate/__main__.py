"""Images from the champion, from another version or from a generator's folder.

python -m pipelines.generate --label Bag --count 64 --out bags.png        one sheet
python -m pipelines.generate --count 10000 --out samples/ --shard 2/8     files, a part of them
python -m pipelines.generate --count 10000 --out s3://bucket/prefix/      objects, one for each 200 images
python -m pipelines.generate --guidance 1 1.5 2 4 --out guidance.png      a row for each scale, from the same noise
python -m pipelines.generate --interpolate 7 --out between.png            from the noise of one seed to another's
python -m pipelines.generate --count 16 --out films.webp                  one sheet that moves, of videos and volumes
python -m pipelines.generate --count 16 --out fields.nc                   as the data were: .nc, .nii.gz, .gif, .npy

From a model that completes data of which a part is given (dataset.condition):

python -m pipelines.generate --given starts.npy --count 32 --out films.webp

From a model that knows texts:

python -m pipelines.generate --prompt "a red heart" --negative "a blue heart" --guidance 3 --out hearts.png
python -m pipelines.generate --prompt "a red heart" --prompt "the star" --out two.png        a row for each
python -m pipelines.generate --prompts lines.txt --guidance 1 2 4 --out grid.png     and a column for each scale
python -m pipelines.generate --prompts lines.txt --out samples/           files, one of each; what they are of beside
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fm import s3
from fm.components import ANY, Choice, read
from fm.errors import UserError, shown
from pipelines.program import run

if TYPE_CHECKING:
    from pipelines.generate.files import Job
    from pipelines.generate.sheets import Sheet

SHEET = 1000  # images at most
DATA = (".npy", ".nc", ".nii", ".nii.gz", ".gif")
"""Suffixes of files that are read as the data were (fm.sample_files)."""
AT_ONCE = {"sheet": "a sheet is", "data": "data in files of their own kind are"}
"""What is made in one piece, in words."""
COLUMNS = 9  # of an interpolation
COUNTS = {"sweep": 8, "prompts": 8, "grid": 1, "interpolation": 8}
"""How many images a row has, or a column; there is another default for what is no such sheet."""


def main() -> None:
    parser = arguments()
    chosen = parser.parse_args()
    from pipelines.generate.asking import Prompt, asked_for, given_in, negative_for, prompts_in

    prompts = [Prompt(text, "--prompt") for text in chosen.prompt]
    prompts += [] if chosen.prompts is None else prompts_in(chosen.prompts)
    chosen.kind = kind_of(chosen, len(prompts), parser)
    from pipelines.generate.files import Job
    from pipelines.registry import saved_models

    model = saved_models.load(chosen.model, chosen.own)
    try:
        generator = model.adjusted(chosen.steps, chosen.solver, chosen.guidance[0] if chosen.guidance else None)
    except ValueError as error:
        raise UserError(str(error)) from None
    asks: tuple[Any, ...] = asked_for(generator.conditioner, chosen.label, prompts)
    if chosen.given is not None:
        asks = given_in(generator.conditioner, chosen.given)
    generator = generator.away_from(negative_for(generator.conditioner, chosen.negative))
    try:
        print(make(chosen, Job(generator, chosen.seed, asks, chosen.count)))
    except ValueError as error:  # a solver that can't walk the model's path
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"can't write {chosen.out}: {error.strerror or error}") from None


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", default="champion", help="an alias, a version, MODEL@either, or a folder (%(default)s)"
    )
    parser.add_argument(
        "--label", help="a label's name, or its index where no name is a number; all in turn if left out"
    )
    parser.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT",
        help="of a model that knows texts; several, one after the other; its examples in turn if left out",
    )
    parser.add_argument("--prompts", metavar="FILE", help="more of them, one a line, UTF-8; - reads what comes in")
    parser.add_argument(
        "--given",
        metavar="FILE",
        help="of a model that completes data: a .npy of data as they are stored, NaN where nothing was observed, or an "
        ".npz of data and missing; sample after sample of one datum after the other",
    )
    parser.add_argument("--negative", metavar="TEXT", help="what guidance leads away from")
    parser.add_argument(
        "--count",
        type=positive,
        help="how many images (64, or as many as there are prompts); of a sweep, an interpolation or each of several "
        "prompts of a sheet (8; 1 for each prompt and scale)",
    )
    parser.add_argument(
        "--out",
        type=place,
        default=Path("images.png"),
        help="a .png for one sheet, a .webp for one that moves, a .npz for arrays, s3://bucket/prefix/, else a folder "
        "of such files (%(default)s)",
    )
    parser.add_argument("--seed", type=natural, default=0, help="other noise, other images (%(default)s)")
    parser.add_argument("--steps", type=positive, help="steps of the solver, instead of the model's own")
    parser.add_argument("--solver", type=solver, help="instead of the model's own")
    parser.add_argument("--guidance", type=float, nargs="+", metavar="SCALE", help="1 means none; several: a sweep")
    parser.add_argument("--interpolate", type=natural, metavar="SEED", help="the other seed")
    parser.add_argument(
        "--own",
        nargs="+",
        default=(),
        metavar="MODULE:CLASS",
        help="what the model needs that is not the library's, if you trust it",
    )
    parser.add_argument("--shard", type=shard, metavar="I/N", help="make the I-th of N parts of what is no sheet")
    return parser


def kind_of(chosen: argparse.Namespace, prompts: int, parser: argparse.ArgumentParser) -> str:
    """What is asked for: sheet, sweep, prompts, grid, interpolation, npz, folder, objects; `chosen.count` is settled.
    Ends the program where that cannot be."""
    place = kind_of_place(chosen.out)
    if place is None:
        parser.error(
            f"--out {chosen.out}: must end in .png, .webp, .npz, {', '.join(DATA)}, or be a folder or "
            "s3://bucket/prefix/"
        )
    scales = len(chosen.guidance or [None])
    if chosen.interpolate is not None and (scales > 1 or prompts > 1):
        parser.error(f"--interpolate takes one {'--guidance' if scales > 1 else '--prompt'}")
    if (scales > 1 or chosen.interpolate is not None) and place != "sheet":
        parser.error(f"--out {chosen.out}: must end in .png or .webp for a sweep or an interpolation")
    if chosen.shard is not None and place in AT_ONCE:
        parser.error(
            f"--shard: {AT_ONCE[place]} made at once; let --out be a .npz, a folder or in S3, not {chosen.out}"
        )
    kind = kind_of_sheet(chosen, scales, prompts) if place == "sheet" else place
    chosen.count = chosen.count or COUNTS.get(kind) or (prompts if prompts > 1 else 64)
    rows = {"sweep": scales, "prompts": prompts, "grid": prompts * scales, "interpolation": COLUMNS}.get(kind, 1)
    if place in AT_ONCE and chosen.count * rows > SHEET:
        many = f"{chosen.count * rows:,} images" if rows > 1 else f"--count {chosen.count}"
        parser.error(f"{many}: a sheet has {SHEET} images at most; let --out be a .npz or a folder")
    return kind


def kind_of_sheet(chosen: argparse.Namespace, scales: int, prompts: int) -> str:
    if chosen.interpolate is not None:
        return "interpolation"
    if prompts > 1:
        return "grid" if scales > 1 else "prompts"
    return "sweep" if scales > 1 else "sheet"


def kind_of_place(out: "Path | s3.Place") -> str | None:
    if isinstance(out, s3.Place):
        return "objects"
    if out.name.endswith(DATA):
        return "data"
    return {".png": "sheet", ".webp": "sheet", ".npz": "npz", "": "folder"}.get(out.suffix)


def make(chosen: argparse.Namespace, job: "Job") -> str:
    """Write what is asked for; what to tell of it."""
    from pipelines.generate.files import Shard, to_data, to_folder, to_npz
    from pipelines.generate.objects import to_objects

    shard, what = Shard(*(chosen.shard or (1, 1))), images_of(job)
    match chosen.kind:
        case "folder":
            return f"{to_folder(job, chosen.out, shard)} {what} written to {chosen.out}"
        case "objects":
            return f"{to_objects(job, chosen.out, shard)} {what} written to {chosen.out}"
        case "npz":
            complete = to_npz(job, chosen.out, shard)
            return f"{chosen.count} {what} in {chosen.out}" if complete else "this shard is done; others are missing"
        case "data":
            return f"{chosen.count} {what} in {', '.join(to_data(job, chosen.out))}"
    sheet = sheet_of(chosen, job)
    sheet.save(job, chosen.out)
    return f"{len(sheet.made)} {what} in {chosen.out}"


def images_of(job: "Job") -> str:
    """A prompt is quoted: nobody knows what is in it."""
    from fm.conditions import Given, Text

    if not job.asks:
        return "images"
    if isinstance(job.generator.conditioner, Given):
        return f"completions of {len(job.asks)} data"
    if not isinstance(job.generator.conditioner, Text):
        return f"images of the label {job.asks[0]}"
    return f"images of {shown(job.asks[0])}" if len(job.asks) == 1 else f"images of {len(job.asks)} prompts"


def sheet_of(chosen: argparse.Namespace, job: "Job") -> "Sheet":
    from pipelines.generate import sheets

    match chosen.kind:
        case "sweep":
            return sheets.sweep(job, chosen.guidance)
        case "prompts":
            return sheets.by_prompt(job)
        case "grid":
            return sheets.by_prompt_and_scale(job, chosen.guidance)
        case "interpolation":
            return sheets.interpolation(job, chosen.interpolate, COLUMNS)
    return sheets.sheet(job)


def place(text: str) -> "Path | s3.Place":
    if not text.startswith(s3.SCHEME):
        return Path(text)
    try:
        return s3.parse(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def natural(text: str) -> int:
    return at_least(0, text)


def solver(text: str) -> Choice:
    try:
        return read("solver", text, ANY)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    return at_least(1, text)


def shard(text: str) -> tuple[int, int]:
    index, _, of = text.partition("/")
    if not (index.isdecimal() and of.isdecimal() and 1 <= int(index) <= int(of)):
        raise argparse.ArgumentTypeError(f"must be like 2/8, the second of eight, not {text!r}")
    return int(index), int(of)


def at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number and at least {least}, not {text!r}")
    return int(text)


if __name__ == "__main__":
    run(main)
