"""The prepared dataset: a folder of few files that are mapped into memory, not read.

    manifest.json               format, name, codec, conditioner, fields, counts, SHA-256 of the others
    train_data.npy              (N, *stored), as the codec has it stored: images are uint8 (N, H, W, C)
    train_label.npy             int64 (N,), and so on for every field that lies beside the data
    test_data.npy, ...          the same for the test split

Equal data makes equal bytes. fm.data.writing writes it. The codec's scale is the standard deviation of the modelled
training data. Format 1, which only images had, is read too.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice, parts
from fm.data.rows import Arrays
from fm.errors import UserError

if TYPE_CHECKING:
    from fm.codecs import Codec
    from fm.conditions import Conditioner

FORMAT = 2
MANIFEST = "manifest.json"
SPLITS = ("train", "test")


class PreparedError(UserError):
    """A folder is no prepared dataset that this version can read; the message names it and says why."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared dataset on disk, mapped into memory, read-only.

    Attributes:
        codec_choice, conditioner_choice: what reads it, as the manifest has them.
        train, test: the fields of each datum; `data` and those that the conditioner reads.
        files: field by field, of each split.
        sha256: file name -> sum, as the manifest has it.

    >>> from tempfile import TemporaryDirectory
    >>> from fm.data.splits import Splits
    >>> from fm.data.writing import write
    >>> images, labels = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1])
    >>> with TemporaryDirectory() as folder:
    ...     write(Path(folder), Splits(images, labels, images, labels, ("cat", "dog")), "pets")
    ...     Prepared.open(Path(folder)).codec_choice
    {'name': 'pixels', 'stored': [8, 8, 1]}
    """

    folder: Path
    name: str
    codec_choice: Choice
    conditioner_choice: Choice
    train: Arrays
    test: Arrays
    files: tuple[str, ...]
    sha256: Mapping[str, str]

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of one datum."""
        return self.train.data.shape[1:]

    @property
    def label_names(self) -> tuple[str, ...]:
        """What the labels mean; none where there are no labels."""
        return names_of(self.conditioner_choice)

    @property
    def codec(self) -> "Codec":
        from fm.codecs import Codec  # PyTorch takes seconds to import, and who only opens a dataset needs it not

        return Codec.of(self.codec_choice)

    @property
    def conditioner(self) -> "Conditioner":
        from fm.conditions import Conditioner

        return Conditioner.of(self.conditioner_choice)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map a prepared dataset into memory. Reads manifest and labels only, so size doesn't matter.

        Raises:
            PreparedError: the folder is missing, damaged as far as one sees without reading the
                data (`verify` reads them), or of a newer format.
        """
        manifest = read_manifest(folder)
        try:
            files = FILES[manifest["format"]]
            said = UPGRADES[manifest["format"]](manifest)
            fields = tuple(said["fields"])
            train, test = (
                Arrays({field: mapped(folder / files(split, field)) for field in fields}) for split in SPLITS
            )
            found = described(said["name"], said["codec"], said["conditioner"], train, test, said["sha256"])
        except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise PreparedError(f"{folder}: the prepared dataset is damaged: {error}") from error
        for key in found:
            if said.get(key) != found[key]:
                raise PreparedError(
                    f"{folder}: the prepared dataset is damaged: its arrays are not what {MANIFEST} says under {key!r}"
                )
        return cls(
            folder=folder,
            name=said["name"],
            codec_choice=said["codec"],
            conditioner_choice=said["conditioner"],
            train=train,
            test=test,
            files=tuple(files(split, field) for split in SPLITS for field in fields),
            sha256=said["sha256"],
        )

    def verify(self) -> None:
        """Read every byte and compare with the manifest. Raises PreparedError if a file is not what was written."""
        for name in self.files:
            if sha256(self.folder / name) != self.sha256.get(name):
                raise PreparedError(f"{self.folder}: the prepared dataset is damaged: {name} has changed")


def described(
    name: str, codec: Choice, conditioner: Choice, train: Arrays, test: Arrays, sums: Mapping[str, str]
) -> dict[str, Any]:
    """The manifest of a dataset.

    Raises:
        ValueError: the splits do not go together, the data are not of the codec's shape, or a label has no name.
    """
    fields = fields_of(train)
    if fields_of(test) != fields:
        raise ValueError(f"training data have {fields} and test data {fields_of(test)}; they must be alike")
    _, options = parts(codec)
    if fields["data"]["shape"] != list(options["stored"]):
        raise ValueError(f"data are {fields['data']['shape']}, and the codec stores {list(options['stored'])}")
    return {
        "format": FORMAT,
        "name": name,
        "codec": codec,
        "conditioner": conditioner,
        "fields": fields,
        "splits": {split: counted(rows, conditioner) for split, rows in (("train", train), ("test", test))},
        "sha256": dict(sums),
    }


def fields_of(rows: Arrays) -> dict[str, dict[str, Any]]:
    """Shape and type of each field of one datum."""
    return {name: {"shape": list(each.shape[1:]), "dtype": str(each.dtype)} for name, each in rows.fields.items()}


def counted(rows: Arrays, conditioner: Choice) -> dict[str, Any]:
    """How many data there are, and how many of each label. Raises ValueError for a label that has no name."""
    kind, _ = parts(conditioner)
    if kind != "labels":
        return {"count": len(rows)}
    return {"count": len(rows), "by_label": by_label(rows.fields["label"], names_of(conditioner))}


def by_label(labels: NDArray[np.int64], names: tuple[str, ...]) -> dict[str, int]:
    """How many there are of each; without names all labels are 0.

    >>> by_label(np.array([1, 0, 1]), ("cat", "dog"))
    {'cat': 1, 'dog': 2}
    """
    if labels.min() < 0 or labels.max() >= max(len(names), 1):
        raise ValueError(f"labels go from {labels.min()} to {labels.max()}, but there are {len(names)} names")
    return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=False))


def names_of(conditioner: Choice) -> tuple[str, ...]:
    """The label names that a conditioner has, if it is one of labels."""
    _, options = parts(conditioner)
    return tuple(options.get("names", ()))


def file_of(split: str, field: str) -> str:
    return f"{split}_{field}.npy"


def file_of_format_1(split: str, field: str) -> str:
    return f"{split}_{FIELDS_OF_FORMAT_1[field]}.npy"


def upgraded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of format 1, of square images with one label each, as format 2 would say it."""
    stored = [manifest["image_size"], manifest["image_size"], manifest["channels"]]
    names = manifest["label_names"]
    splits = {name: {"count": one["images"], "by_label": one["by_label"]} for name, one in manifest["splits"].items()}
    return {
        "format": FORMAT,
        "name": manifest["name"],
        "codec": {"name": "pixels", "stored": stored},
        "conditioner": {"name": "labels", "names": names} if names else "labels",
        "fields": {"data": {"shape": stored, "dtype": "uint8"}, "label": {"shape": [], "dtype": "int64"}},
        "splits": splits,
        "sha256": manifest["sha256"],
    }


FIELDS_OF_FORMAT_1 = {"data": "images", "label": "labels"}
FILES: dict[int, Callable[[str, str], str]] = {1: file_of_format_1, 2: file_of}
UPGRADES: dict[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {1: upgraded, 2: dict}


def read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PreparedError(f"{folder}: there is no prepared dataset here ({MANIFEST} is missing)") from None
    except (OSError, ValueError) as error:
        raise PreparedError(f"{path}: can't be read: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise PreparedError(f"{path}: not the manifest of a prepared dataset")
    if manifest["format"] > FORMAT:
        raise PreparedError(
            f"{folder}: written by a newer version (format {manifest['format']}; this one reads {FORMAT}): "
            "update this program, or prepare the dataset again"
        )
    return manifest


def mapped(path: Path) -> NDArray[Any]:
    """An array mapped into memory, read-only. Raises OSError, EOFError or ValueError if it isn't whole."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap):
        raise ValueError(f"{path.name} is not a .npy file")
    if path.stat().st_size != array.offset + array.nbytes:
        raise ValueError(f"{path.name} is longer than it should be")
    return array


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
