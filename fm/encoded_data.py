"""What is made of prepared data once, before networks are trained on them: a folder beside them.

    encoded.json      how the data are read
    train_data.npy    float16 (N, *stored), what a codec of latents stores of pictures (fm.codecs.Encoded)
    test_data.npy     the same of the test split
    codec/            that codec's autoencoder
    captions/         captions as tokens (fm.data.embedded), where they are what networks are told

What the folder has not is as prepared.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from fm.batches import Examples
from fm.codecs import BESIDE, Codec, Encoded
from fm.conditions import Conditioner, Sequence
from fm.data.embedded import TEXT, Embedded
from fm.data.prepared import Prepared, PreparedError, file_of, mapped
from fm.data.rows import Arrays, Rows

if TYPE_CHECKING:
    from fm.data.shards import Shards

INDEX = "encoded.json"
CAPTIONS = "captions"
DATA = "data"


def write_index(folder: Path, conditioner: Conditioner, codec: Encoded | None = None) -> None:
    """Last of all: a folder with it is complete. Args: codec: of the data that the folder has, if it has any."""
    content = {"conditioner": conditioner.choice}
    if codec is not None:
        codec.save(folder / BESIDE)
        content["codec"] = codec.choice
    (folder / INDEX).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def examples_in(folder: Path, dataset: Prepared, split: str = "train") -> Examples:
    """What networks learn from, of a split of the dataset that the folder was made of.

    Raises:
        PreparedError: the folder is missing or damaged, or was made of other data.
    """
    conditioner, codec = read_index(folder)
    pictures = dataset.test if split == "test" else dataset.train
    rows: Rows = pictures if codec is None else in_place_of(pictures, folder / file_of(split, DATA))
    field = conditioner.fields.get(TEXT)
    captions = Embedded.open(folder / CAPTIONS, split, field.length) if isinstance(field, Sequence) else None
    for found in (rows, captions):
        if found is not None and len(found) != len(pictures):
            what = "captions" if found is captions else "latents"
            raise PreparedError(f"{folder} was made of other data: it has {what} of {len(found)} for {len(pictures)}")
    return Examples(rows, dataset.codec if codec is None else codec, conditioner, captions)


def in_place_of(pictures: "Arrays | Shards", file: Path) -> Arrays:
    """The data in a file, with what lies beside the pictures, but for captions. Raises PreparedError."""
    kept = {name: pictures.column(name) for name in pictures.kinds if name not in (DATA, TEXT)}
    try:
        return Arrays({DATA: mapped(file), **kept})
    except (OSError, EOFError) as error:
        raise PreparedError(f"{file} is missing or damaged: {error}") from None
    except ValueError as error:
        raise PreparedError(f"{file} was made of other data: {error}") from None


def read_index(folder: Path) -> tuple[Conditioner, Codec | None]:
    """How the data are read; no codec where they are as prepared. Raises PreparedError."""
    file = folder / INDEX
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        codec = Codec.of(content["codec"]).loaded(folder / BESIDE) if "codec" in content else None
        return Conditioner.of(content["conditioner"]), codec
    except FileNotFoundError:
        raise PreparedError(f"{folder}: there are no encoded data here ({INDEX} is missing)") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PreparedError(f"{file} can't be read: {error}") from None
