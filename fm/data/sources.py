"""The datasets there are. A new one is a module of its own and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fm.data import cifar10, digits, fashion_mnist, image_folder
from fm.data.fetching import DatasetUnavailable
from fm.data.splits import Splits

__all__ = ["SOURCES", "DatasetUnavailable", "Request", "Splits"]


@dataclass(frozen=True)
class Request:
    """What a source may need to know.

    Attributes:
        cache: the folder which it may keep downloads in.
        path: where the user has the data, if the source asks for it.
        size, channels: of the images to be. A source with images of one size leaves them as they are.
        test_fraction: share of the images to hold out, where nobody has split them.
        skip_bad: leave out files that cannot be used.
    """

    cache: Path
    path: Path
    size: int
    channels: int
    test_fraction: float
    skip_bad: bool


# Each raises DatasetUnavailable, or another UserError, if the data can't be had.
SOURCES: dict[str, Callable[[Request], Splits]] = {
    "fashion-mnist": lambda asked: fashion_mnist.load(asked.cache),
    "digits": lambda asked: digits.load(),
    "cifar10": lambda asked: cifar10.load(asked.cache, asked.path),
    "image-folder": lambda asked: image_folder.load(
        asked.path, asked.size, asked.channels, asked.test_fraction, asked.skip_bad
    ),
}
