"""A generator as a program of torch.export, with its samplers as tables and the few lines that walk them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from fm import exported
from fm.codecs import Pixels
from fm.generator import Generator
from pipelines.export.files import PORTABLE, count_of_labels, require_codec, save
from pipelines.export.table import table_of


def write(generators: Sequence[Generator], folder: Path) -> None:
    """A generator with each of its samplers; they differ in that alone.

    Raises:
        UserError: something of it that the code in the folder cannot do.
    """
    generator = generators[0]
    require_codec(generator, Pixels)
    labels = count_of_labels(generator)
    samplers = {str(one.config.sampler.steps): table_of(one) for one in generators}
    exported.save(generator, folder)
    for name in ("sample.py", "walk.py"):
        shutil.copyfile(PORTABLE / name, folder / name)
    save(
        folder / "sampler.json",
        {
            "shape": list(generator.shape),
            "labels": list(generator.conditioner.choices),
            "labelled": labels is not None,
            "until": generator.config.until,
            "samplers": samplers,
        },
    )
