"""Images for the report: grids, cut-outs, and bytes that need no second file."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fm import images as layout
from fm.errors import UserError

ROWS = 8


def data_uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def grid_of_real(images: NDArray[np.uint8], labels: NDArray[np.int64], classes: int) -> Image.Image:
    """The first images of every class: 8 rows and one column per class, like the generated grids."""
    columns = [np.resize(np.flatnonzero(labels == label), ROWS) for label in range(classes)]
    sheet = layout.grid(images[np.stack(columns, axis=1).ravel()], classes)
    return Image.fromarray(sheet.squeeze(2) if sheet.shape[2] == 1 else sheet)


def grid_of_samples(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.copy()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: `dvc repro` makes it") from None


def first_row(grid: Image.Image) -> Image.Image:
    """One image of every class: the top row of a grid, as a strip."""
    # A grid has as many gaps as rows and one more: keep the one below as well.
    return grid.crop((0, 0, grid.width, (grid.height - 1) // ROWS + 1))
