"""Images from the champion, from another version or from a generator's folder.

python -m pipelines.generate --label Bag --count 64 --out bags.png        one sheet
python -m pipelines.generate --count 10000 --out samples/ --shard 2/8     files, a part of them
python -m pipelines.generate --count 10000 --out s3://bucket/prefix/      objects, one for each 200 images
python -m pipelines.generate --guidance 1 1.5 2 4 --out guidance.png      a row for each scale, from the same noise
python -m pipelines.generate --interpolate 7 --out between.png            from the noise of one seed to another's
"""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fm import s3
from fm.components import ANY, Choice, read
from fm.errors import UserError
from pipelines.program import run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fm.generator import Generator
    from pipelines.generate.files import Job

SHEET = 1000  # images at most
COLUMNS = 9  # of an interpolation


def main() -> None:
    parser = arguments()
    chosen = parser.parse_args()
    chosen.kind = kind_of(chosen, parser)
    from pipelines.registry import saved_models

    model = saved_models.load(chosen.model, chosen.own)
    try:
        generator = model.adjusted(chosen.steps, chosen.solver, chosen.guidance[0] if chosen.guidance else None)
        label = None if chosen.label is None else generator.conditioner.called(chosen.label)
    except ValueError as error:
        raise UserError(str(error)) from None
    try:
        print(make(chosen, generator, label))
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
    parser.add_argument("--count", type=positive, help="how many images (64; of a sweep or interpolation 8)")
    parser.add_argument(
        "--out",
        type=place,
        default=Path("images.png"),
        help="a .png for one sheet, a .npz for arrays, s3://bucket/prefix/, else a folder of .png files (%(default)s)",
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


def kind_of(chosen: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """What is asked for: sheet, sweep, interpolation, npz, folder, objects. Ends the program where that cannot be."""
    kind = kind_of_place(chosen.out)
    if kind is None:
        parser.error(f"--out {chosen.out}: must end in .png or .npz, or be a folder or s3://bucket/prefix/")
    several = len(chosen.guidance or []) > 1
    if several and chosen.interpolate is not None:
        parser.error("--interpolate takes one --guidance")
    if (several or chosen.interpolate is not None) and kind != "sheet":
        parser.error(f"--out {chosen.out}: must end in .png for a sweep or an interpolation")
    if chosen.shard is not None and kind == "sheet":
        parser.error(f"--shard: a sheet is made at once; let --out be a .npz, a folder or in S3, not {chosen.out}")
    chosen.count = chosen.count or (8 if several or chosen.interpolate is not None else 64)
    kind = "sweep" if several else "interpolation" if chosen.interpolate is not None else kind
    size = chosen.count * {"sweep": len(chosen.guidance or []), "interpolation": COLUMNS}.get(kind, 1)
    if kind not in ("npz", "folder", "objects") and size > SHEET:
        parser.error(f"--count {chosen.count}: a sheet has {SHEET} images at most; let --out be a .npz or a folder")
    return kind


def kind_of_place(out: "Path | s3.Place") -> str | None:
    if isinstance(out, s3.Place):
        return "objects"
    return {".png": "sheet", ".npz": "npz", "": "folder"}.get(out.suffix)


def make(chosen: argparse.Namespace, generator: "Generator", label: str | None) -> str:
    """Write what is asked for; what to tell of it."""
    from fm import images
    from fm.pictures import pictures
    from pipelines.generate.files import Job, Shard, to_folder, to_npz
    from pipelines.generate.objects import to_objects

    job, shard = Job(generator, chosen.seed, label, chosen.count), Shard(*(chosen.shard or (1, 1)))
    what = "images" if label is None else f"images of the label {label}"
    match chosen.kind:
        case "folder":
            written = to_folder(job, chosen.out, shard)
            return f"{written} {what} written to {chosen.out}"
        case "objects":
            written = to_objects(job, chosen.out, shard)
            return f"{written} {what} written to {chosen.out}"
        case "npz":
            complete = to_npz(job, chosen.out, shard)
            return f"{chosen.count} {what} in {chosen.out}" if complete else "this shard is done; others are missing"
        case "sweep":
            made, columns = sweep(job, chosen.guidance), chosen.count
        case "interpolation":
            made, columns = interpolation(job, chosen.interpolate), COLUMNS
        case _:
            made, columns = generator.sample(job.count, job.seed, job.asked(0, job.count)), 0
    shown = pictures(made, generator.codec)
    images.save_png(images.grid(shown, columns or math.ceil(math.sqrt(chosen.count))), chosen.out)
    return f"{len(made)} {what} in {chosen.out}"


def sweep(job: "Job", scales: list[float]) -> "NDArray[Any]":
    """One row for each scale, from the same noise."""
    import numpy as np

    labels = job.asked(0, job.count)
    try:
        rows = [job.generator.adjusted(guidance=scale).sample(job.count, job.seed, labels) for scale in scales]
    except ValueError as error:
        raise UserError(f"--guidance: {error}") from None
    return np.concatenate(rows)


def interpolation(job: "Job", other: int) -> "NDArray[Any]":
    """One row for each image index, from its noise in the one seed (left) to that in the other (right)."""
    import torch

    from fm.noise import Draws, Purpose, slerp

    shape = job.generator.shape
    left, right = (Draws(seed, range(job.count)).normal(shape, Purpose.SAMPLE) for seed in (job.seed, other))
    columns = [slerp(left, right, place / (COLUMNS - 1)) for place in range(COLUMNS)]
    x0 = torch.stack(columns, dim=1).flatten(0, 1)
    labels = [label for label in job.asked(0, job.count) for _ in range(COLUMNS)]
    try:
        return job.generator.sample_from(x0, labels)
    except ValueError as error:
        raise UserError(f"--interpolate: {error}; take another --solver, for example ddim or midpoint") from None


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
