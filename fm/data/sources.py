"""The datasets there are. A new one is a module of its own and a line here."""

from collections.abc import Callable
from pathlib import Path

from fm.data import digits, fashion_mnist
from fm.data.fetching import DatasetUnavailable
from fm.data.splits import Splits

__all__ = ["SOURCES", "DatasetUnavailable", "Splits"]

# Each is given the cache folder, which it may keep downloads in, and raises DatasetUnavailable
# if the data can't be had.
SOURCES: dict[str, Callable[[Path], Splits]] = {
    "fashion-mnist": fashion_mnist.load,
    "digits": digits.load,
}
