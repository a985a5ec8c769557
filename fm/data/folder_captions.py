"""What a folder says about its images: `left.txt` beside `left.png`, and `metadata.jsonl` or `metadata.csv`.

A line of a text file is a caption. A metadata file has a row for an image: `file_name`, its path from the folder that
the metadata file is in, and captions in columns that are called so (fm.data.caption_reading). Several rows of an image,
and what several files say about it, are put together.

Source: https://huggingface.co/docs/datasets/image_dataset
"""

import csv
import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fm.data.caption_reading import NOT_READ, NOTHING, Fault, Said, has_captions, said_in_row
from fm.data.folder_contents import Contents, composed

FILE_NAME = "file_name"
NO_JSON = "rows that are no JSON"
NO_FILE_NAME = f"rows without {FILE_NAME}"
NO_COLUMN = "metadata files without a column of captions, such as text"
NO_IMAGE = "of no image"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class FolderCaptions:
    """What there is about the images of a folder.

    Attributes:
        said: what metadata files say, by the name of the image.
        beside: text files, by the name of the image.
        unused: names of text files that lie beside no image.
        faults: what is about no image, and what cannot be read.

    >>> FolderCaptions.of(Contents()).faults
    ()
    """

    said: Mapping[str, Said]
    beside: Mapping[str, Path]
    unused: tuple[str, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, contents: Contents) -> "FolderCaptions":
        names = [name for name, _ in contents.images]
        beside = {name: contents.texts[text] for name in names if (text := stem(name)) in contents.texts}
        used = set(map(stem, beside))
        unused = sorted(text for text in contents.texts if text not in used)
        # Where no image has a text file, they are about something else: a README, a licence.
        faults = [Fault(NO_IMAGE, f"{text}.txt") for text in unused] if beside else []
        said: dict[str, Said] = {}
        there = set(names)
        for name, path in sorted(contents.metadata):
            for found in about(name, path):
                if isinstance(found, Fault):
                    faults.append(found)
                elif found[0] in there:
                    said[found[0]] = said.get(found[0], NOTHING).and_also(found[1])
                else:
                    faults.append(Fault(NO_IMAGE, f"{found[0]} in {name}"))
        return cls(said, beside, tuple(unused), tuple(faults))


def stem(name: str) -> str:
    """A name without its suffix.

    >>> stem("shoes/left.shoe.png")
    'shoes/left.shoe'
    """
    return name.rpartition(".")[0]


def about(name: str, path: Path) -> Iterator[tuple[str, Said] | Fault]:
    """What a metadata file says about images, by their names.

    Args:
        name: its path below the folder of the images.
    """
    columns = set[str]()
    rows = 0
    try:
        for place, row in (rows_of_csv if name.endswith(".csv") else rows_of_jsonl)(name, path):
            if isinstance(row, Fault):
                yield row
                continue
            rows += 1
            columns.update(map(str, row))
            file = row.get(FILE_NAME)
            if not isinstance(file, str) or not file:
                yield Fault(NO_FILE_NAME, place)
                continue
            below = posixpath.normpath(f"{posixpath.dirname(name)}/{file.replace(chr(92), '/')}".lstrip("/"))
            yield composed(below), said_in_row(row)
    except OSError:
        yield Fault(NOT_READ, name)
    if rows and not any(map(has_captions, columns)):
        yield Fault(NO_COLUMN, name)


def rows_of_jsonl(name: str, path: Path) -> Iterator[tuple[str, Row | Fault]]:
    """Each row, or why it is none, and which it is. Raises OSError."""
    # Bytes that are not UTF-8 spoil the caption that they are in and no other.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        for number, line in enumerate(file, 1):
            place = f"{name}:{number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield place, row if isinstance(row, dict) else Fault(NO_JSON, place)


def rows_of_csv(name: str, path: Path) -> Iterator[tuple[str, Row | Fault]]:
    """The same of a table whose first row has the columns' names."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                yield f"{name}:{reader.line_num}", {key: value or None for key, value in row.items()}
        except csv.Error:  # a field of more than 131,072 characters: a quotation mark that nothing ends
            yield name, Fault(NOT_READ, f"{name}:{reader.line_num}")
