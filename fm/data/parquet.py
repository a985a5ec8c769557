"""Parquet files of a Hugging Face dataset: images as bytes, labels as numbers with names, texts.

Which column is what is said by the features that the `datasets` library writes into each file (`Image`, `ClassLabel`),
else by the columns' names.

Source: https://huggingface.co/docs/datasets/about_dataset_features
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fm.data.caption_reading import has_captions, said
from fm.data.folder_contents import FolderError, shown
from fm.data.listing import FileDataset, Held, Item, Listing, Part, as_label, files_below
from fm.data.splits import LeftOut, Skipped

if TYPE_CHECKING:  # of the extra `streaming`: who has no such dataset needs it not
    import pyarrow as pa
    import pyarrow.parquet as pq

SUFFIX = ".parquet"
ROWS = 64  # of a file in memory at once
IMAGES = ("image", "img", "images", "jpg", "png", "picture")
LABELS = ("label", "labels", "class", "cls", "fine_label")
SPLIT = re.compile(r"(train|training|validation|valid|val|dev|test)[-_.]", re.IGNORECASE)


class Parquet(
    FileDataset,
    name="parquet",
    says="parquet files of a Hugging Face dataset, with images as bytes",
    source="https://huggingface.co/docs/datasets",
):
    """Every row of the parquet files below a folder that are not called after another split, by name and place.

    >>> FileDataset.of("parquet")
    Parquet()
    """

    def listing(self, path: Path, mixed: bool = False) -> Listing:
        """Raises FolderError: there is no parquet file, or none has a column of images."""
        files, others = training(files_below(path, SUFFIX))
        columns = Columns.of(files[0])
        warnings = [f"not read, since the test split is made here: {', '.join(others)}"] if others else []
        return Listing(
            str(path),
            [Table(file, columns) for file in files],
            labels=columns.label_names,
            warnings=tuple(warnings),
        )


def training(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files to read, and the names of splits that are left: all files, unless some are called after a split."""
    splits = {file: found[1].lower() if (found := SPLIT.match(file.name)) else "" for file in files}
    train = [file for file in files if splits[file].startswith("train")]
    if not train:
        return list(files), []
    return train, sorted({splits[file] or file.name for file in files if file not in train})


@dataclass(frozen=True)
class Columns:
    """Which column is what; empty where there is none.

    Attributes:
        captions: all that have them, as texts or as lists of texts.
        label_names: of a ClassLabel, by number.

    >>> Columns("image", "label", (), ("cat", "dog")).named(1)
    'dog'
    """

    image: str
    label: str
    captions: tuple[str, ...]
    label_names: tuple[str, ...]

    @classmethod
    def of(cls, file: Path) -> "Columns":
        schema = opened(file).schema_arrow
        features = features_of(schema)
        kinds = {name: one.get("_type", "") for name, one in features.items() if isinstance(one, dict)}
        image = first(schema.names, kinds, "Image", IMAGES)
        if not image:
            raise FolderError(f"{file}: no column of images: there are {', '.join(map(shown, schema.names))}")
        label = first(schema.names, kinds, "ClassLabel", LABELS)
        names = features.get(label, {}).get("names", ()) if kinds.get(label) == "ClassLabel" else ()
        captions = tuple(one.name for one in schema if has_captions(one.name) and is_text(one.type))
        return cls(image, label, captions, tuple(map(str, names)))

    def named(self, value: Any) -> str | None:
        if self.label_names and isinstance(value, int) and 0 <= value < len(self.label_names):
            return self.label_names[value]
        return None if self.label_names and isinstance(value, int) else as_label(value)  # -1 is "not known"


def features_of(schema: "pa.Schema") -> dict[str, Any]:
    """What `datasets` says of the columns; nothing where something else has written the file."""
    try:
        said = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


def first(names: Sequence[str], kinds: dict[str, str], kind: str, usual: Sequence[str]) -> str:
    """The first column of a kind, else the first of the usual names; empty if there is none."""
    of_kind = [name for name in names if kind and kinds.get(name) == kind]
    return next(iter([*of_kind, *(name for name in usual if name in names)]), "")


def is_text(kind: "pa.DataType") -> bool:
    """Whether a column has texts, or lists of texts; writers that do not say so have them as bytes."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind) or is_list(kind):
        kind = kind.value_type
    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


def is_list(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def with_bytes(batch: "pa.RecordBatch", captions: Sequence[str]) -> "pa.RecordBatch":
    """The same with these columns as bytes: as texts, what is not UTF-8 could not be had at all."""
    import pyarrow as pa

    for name in set(captions).intersection(batch.schema.names):
        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = pa.list_(pa.large_binary()) if is_list(column.type) else pa.large_binary()
        batch = batch.set_column(batch.schema.get_field_index(name), name, column.cast(kind))
    return batch


@dataclass(frozen=True)
class Table(Part):
    """The rows of a parquet file.

    >>> Table(Path("train-00000.parquet"), Columns("image", "label", (), ())).path.name
    'train-00000.parquet'
    """

    path: Path
    columns: Columns

    def count(self) -> int:
        return int(opened(self.path).metadata.num_rows)

    def read(self) -> Iterator[Item | Skipped | LeftOut]:
        import pyarrow as pa

        columns = self.columns
        wanted = [name for name in (columns.image, columns.label, *columns.captions) if name]
        number = 0
        try:
            for batch in opened(self.path).iter_batches(batch_size=ROWS, columns=wanted):
                for row in with_bytes(batch, columns.captions).to_pylist():
                    yield self._item(row, number)
                    number += 1
        except (pa.ArrowException, OSError) as error:
            yield Skipped(self.path.name, f"damaged after row {number}: {error}")

    def _item(self, row: dict[str, Any], number: int) -> Item | Skipped:
        name = f"{self.path.name}/{number}"
        image = row[self.columns.image]
        content = image.get("bytes") if isinstance(image, dict) else image
        if not isinstance(content, bytes):
            return Skipped(name, "its image is not in the file")
        return Held(
            name,
            label=self.columns.named(row[self.columns.label]) if self.columns.label else None,
            said=said(row.get(name) for name in self.columns.captions),
            held=content,
        )


def opened(path: Path) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise FolderError(f"{path}: no parquet file that can be read: {error}") from None
