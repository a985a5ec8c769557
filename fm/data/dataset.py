"""What a dataset is: where splits of data come from."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from fm.components import Choice, Component
from fm.data.coded import CodedSplits
from fm.data.splits import Splits


@dataclass(frozen=True)
class Request:
    """What a dataset may need to know.

    Attributes:
        cache: the folder which it may keep downloads in.
        path: where the user has the data, if the dataset asks for it.
        size, channels: of the images to be; 0 where the data are none. A dataset with images of one size leaves them
            as they are.
        test_fraction: share of the images to hold out, where nobody has split them.
        skip_bad: leave out files that cannot be used.

    >>> Request(Path(".cache"), Path("pictures"), size=32, channels=3, test_fraction=0.1, skip_bad=False).size
    32
    """

    cache: Path
    path: Path
    size: int
    channels: int
    test_fraction: float
    skip_bad: bool


class Dataset(Component, ABC, kind="dataset"):
    """Gives its splits: labelled pictures, or what a codec of its own reads (CodedDataset).

    Attributes:
        defaults: settings that suit it, by section and key, for those that are left open.
        suffixes: of the files that it reads, where it is of one's own folder at Request.path; else none.

    >>> Dataset.of("digits").says
    '1,797 handwritten digits of 8x8 grey pixels, which come with scikit-learn'
    """

    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    suffixes: ClassVar[Collection[str]] = ()

    @abstractmethod
    def load(self, asked: Request) -> Splits | CodedSplits:
        """Raises DatasetUnavailable, or another UserError, if the data can't be had."""


class CodedDataset(Dataset):
    """Data of whatever shape they have, with a codec of their own: moving pictures, volumes, measurements.

    Attributes:
        measures: what is measured of them beside distances (fm.metrics.measures), if anything.

    >>> isinstance(Dataset.of("turbulence"), CodedDataset)
    True
    """

    @property
    def measures(self) -> Choice | None:
        return None

    @abstractmethod
    def load(self, asked: Request) -> CodedSplits:
        """Raises DatasetUnavailable, or another UserError, if the data can't be had."""
