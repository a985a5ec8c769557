"""Images for the report: grids, cut-outs, and bytes that need no second file."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fm import sheets
from fm.codecs import Codec, Described
from fm.colour_keys import colour_key
from fm.errors import UserError
from fm.pictures import Shown


def data_uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def film_uri(content: bytes) -> str:
    """Of an animated WebP file."""
    return "data:image/webp;base64," + base64.b64encode(content).decode()


def rows_of_real(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Which of the real data are shown, in the order of the generated grids: every label's spread evenly over all it
    has, since files that lie together look alike."""
    columns = sheets.columns(classes)
    places = np.arange(sheets.ROWS * columns)
    by_label = [np.flatnonzero(labels == label) for label in range(max(classes, 1))]
    of_each = -(-len(places) // len(by_label))
    spread = [have[np.linspace(0, len(have) - 1, of_each).astype(np.int64)] for have in by_label]
    chosen = [spread[place % len(spread)][place // len(spread)] for place in places]
    return np.array(chosen)


def grid_of_real(images: NDArray[np.uint8] | Shown, chosen: NDArray[np.int64], classes: int) -> Image.Image:
    """These laid out as the generated grids are."""
    sheet = sheets.laid_out(images[chosen], sheets.columns(classes))
    return Image.fromarray(sheet.squeeze(2) if sheet.shape[2] == 1 else sheet)


def colours(codec: Codec) -> Image.Image | None:
    """What the colours of measurements stand for; None of pictures."""
    if codec.dtype == "uint8":
        return None
    units = set(codec.units) if isinstance(codec, Described) else set()
    return Image.fromarray(colour_key(codec, units.pop() if len(units) == 1 else "")[0])


def picture(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.copy()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: `dvc repro` makes it") from None


def first_row(sheet: Image.Image) -> Image.Image:
    """The top row of a sheet, as a strip."""
    # A sheet has as many gaps as rows and one more: keep the one below as well.
    return sheet.crop((0, 0, sheet.width, (sheet.height - 1) // sheets.ROWS + 1))
