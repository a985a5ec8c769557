"""The prepared dataset: a folder of few files that are mapped into memory, not read.

    manifest.json               format, name, codec, conditioner, fields, counts, SHA-256 of the others
    train_data.npy              (N, *stored), as the codec has it stored: images are uint8 (N, H, W, C)
    train_label.npy             int64 (N,), and so on for every field that lies beside the data
    train_text.npy              uint8 (bytes,), where there are captions: the text of each datum, whose lines they are
    train_text_ends.npy         int64 (N,), where each text ends (fm.data.captions)
    test_data.npy, ...          the same for the test split
    codec/                      what a codec has of weights (fm.codecs.Latents), which its choice names by their sum

Equal data makes equal bytes. fm.data.writing writes it. The codec's scale is the standard deviation of the modelled
training data. Format 1, which only images had, is read too.

Data that do not fit are format 3: they lie in shards (fm.data.shards), which the manifest names, in the folder or in an
S3 store. What is small lies beside it as before:

    train_label.npy, ...        whole arrays, of all fields but the data and what is written about them
    shards/<SHA-256>.arrow      unless the manifest says which store has them
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice, parts
from fm.data.captions import PACKED, TEXT, Packed
from fm.data.rows import Arrays
from fm.data.sums import sha256
from fm.errors import UserError
from fm.s3 import parse

if TYPE_CHECKING:
    from fm.codecs import Codec
    from fm.conditions import Conditioner
    from fm.data.shard_cache import Shelf
    from fm.data.shards import Shards

FORMAT, OF_ARRAYS, OF_SHARDS = 3, 2, 3
MANIFEST = "manifest.json"
SPLITS = ("train", "test")
SHARDS = "shards"
PACKED_IN = "text", "text_ends"


@dataclass(frozen=True)
class CacheFolder:
    """Where shards of a store are kept on this machine, how many bytes they may take there, and what sets that.

    >>> CacheFolder(Path(".cache/shards"), limit=200_000_000).limit
    200000000
    """

    folder: Path
    limit: int
    set_by: str = "limit"


class PreparedError(UserError):
    """A folder is no prepared dataset that this version can read; the message names it and says why."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared dataset on disk, mapped into memory, read-only.

    Attributes:
        codec_choice, conditioner_choice: what reads it, as the manifest has them.
        train, test: the fields of each datum; `data` and those that the conditioner reads.
        files: field by field, of each split, and the shards that lie in the folder.
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
    train: "Arrays | Shards"
    test: "Arrays | Shards"
    files: tuple[str, ...]
    sha256: Mapping[str, str]

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of one datum."""
        return self.train.stored

    @property
    def label_names(self) -> tuple[str, ...]:
        """What the labels mean; none where there are no labels."""
        return names_of(self.conditioner_choice)

    @cached_property
    def codec(self) -> "Codec":
        """Raises GeneratorError: it has weights, which are not in the folder, or are others."""
        from fm.codecs import BESIDE, Codec  # which takes a moment, and who only opens a dataset needs it not

        return Codec.of(self.codec_choice).loaded(self.folder / BESIDE)

    @property
    def conditioner(self) -> "Conditioner":
        from fm.conditions import Conditioner

        return Conditioner.of(self.conditioner_choice)

    @classmethod
    def open(cls, folder: Path, cache: CacheFolder | None = None) -> Self:
        """Map a prepared dataset into memory. Reads manifest and labels only, so size doesn't matter.

        Args:
            cache: for shards that lie in a store.

        Raises:
            PreparedError: the folder is missing, damaged as far as one sees without reading the
                data (`verify` reads them), or of a newer format; or the cache is too small for its shards.
        """
        manifest = read_manifest(folder)
        try:
            said = UPGRADES[manifest["format"]](manifest)
            splits, files = (sharded if SHARDS in said else whole)(folder, said, cache, FILES[manifest["format"]])
            train, test = (splits[split] for split in SPLITS)
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
            files=files,
            sha256={**said["sha256"], **{name: Path(name).stem for name in files if name.startswith(f"{SHARDS}/")}},
        )

    def verify(self) -> None:
        """Read every byte in the folder and compare with the manifest; shards are compared when they are first read.

        Raises:
            PreparedError: a file is not what was written.
        """
        for name in self.files:
            if sha256(self.folder / name) != self.sha256.get(name):
                raise PreparedError(f"{self.folder}: the prepared dataset is damaged: {name} has changed")


Splits = dict[str, "Arrays | Shards"]


def whole(
    folder: Path, said: Mapping[str, Any], cache: CacheFolder | None, file: Callable[[str, str], str]
) -> tuple[Splits, tuple[str, ...]]:
    """Both splits in whole arrays, and their files."""
    packed = said["fields"].get(TEXT, {}).get("dtype") == PACKED  # earlier versions wrote texts of fixed width
    plain = [field for field in said["fields"] if field != TEXT or not packed]
    splits: Splits = {}
    for split in SPLITS:
        fields = {field: mapped(folder / file(split, field)) for field in plain}
        texts = Packed(*(mapped(folder / file(split, part)) for part in PACKED_IN)) if packed else None
        splits[split] = Arrays(fields, texts)
    parts = (*plain, *PACKED_IN) if packed else plain
    return splits, tuple(file(split, part) for split in SPLITS for part in parts)


def sharded(
    folder: Path, said: Mapping[str, Any], cache: CacheFolder | None, file: Callable[[str, str], str]
) -> tuple[Splits, tuple[str, ...]]:
    """Both splits in shards, and the files that lie in the folder."""
    from fm.data.shard_files import DATA, Shard  # which brings pyarrow, of an extra
    from fm.data.shards import Shards

    about, data = said[SHARDS], said["fields"][DATA]
    beside = [field for field in said["fields"] if field not in (DATA, TEXT)]
    shelf = shelf_of(folder, about["place"], cache)
    splits: Splits = {}
    for split in SPLITS:
        rows = Shards(
            [Shard(*one) for one in about[split]],
            shelf,
            {field: mapped(folder / file(split, field)) for field in beside},
            TEXT in said["fields"],
            tuple(data["shape"]),
            data["dtype"],
            about["window"],
        )
        if about["place"] and cache is not None and rows.bytes_at_once > cache.limit:
            raise PreparedError(
                f"{cache.folder}: a cache of {cache.limit:,} bytes is too small: {rows.bytes_at_once:,} of shards are "
                f"needed at once: allow more by {cache.set_by}, or prepare the dataset with smaller windows "
                "(dataset.window_megabytes)"
            )
        splits[split] = rows
    files = [file(split, field) for split in SPLITS for field in beside]
    if not about["place"]:
        files += [f"{SHARDS}/{Shard(*one).file}" for split in SPLITS for one in about[split]]
    return splits, tuple(files)


def shelf_of(folder: Path, place: str | None, cache: CacheFolder | None) -> "Shelf":
    from fm.data.shard_cache import Cache, Folder

    if place is None:
        return Folder(folder / SHARDS)
    if cache is None:
        raise PreparedError(f"{folder}: its shards lie in {place}: say where they may be kept on this machine")
    return Cache(parse(place), cache.folder, cache.limit, cache.set_by)


def described(
    name: str,
    codec: Choice,
    conditioner: Choice,
    train: "Arrays | Shards",
    test: "Arrays | Shards",
    sums: Mapping[str, str],
) -> dict[str, Any]:
    """The manifest of a dataset, but for what it says of shards.

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
        "format": OF_ARRAYS if isinstance(train, Arrays) else OF_SHARDS,
        "name": name,
        "codec": codec,
        "conditioner": conditioner,
        "fields": fields,
        "splits": {split: counted(rows, conditioner) for split, rows in (("train", train), ("test", test))},
        "sha256": dict(sums),
    }


def fields_of(rows: "Arrays | Shards") -> dict[str, dict[str, Any]]:
    """Shape and type of each field of one datum."""
    return {name: {"shape": list(shape), "dtype": dtype} for name, (shape, dtype) in rows.kinds.items()}


def counted(rows: "Arrays | Shards", conditioner: Choice) -> dict[str, Any]:
    """How many data there are, and how many of each label. Raises ValueError for a label that has no name."""
    kind, _ = parts(conditioner)
    if kind != "labels":
        return {"count": len(rows)}
    return {"count": len(rows), "by_label": by_label(rows.column("label"), names_of(conditioner))}


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
        "format": OF_ARRAYS,
        "name": manifest["name"],
        "codec": {"name": "pixels", "stored": stored},
        "conditioner": {"name": "labels", "names": names} if names else "labels",
        "fields": {"data": {"shape": stored, "dtype": "uint8"}, "label": {"shape": [], "dtype": "int64"}},
        "splits": splits,
        "sha256": manifest["sha256"],
    }


FIELDS_OF_FORMAT_1 = {"data": "images", "label": "labels"}
FILES: dict[int, Callable[[str, str], str]] = {1: file_of_format_1, 2: file_of, 3: file_of}
UPGRADES: dict[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {1: upgraded, 2: dict, 3: dict}


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
