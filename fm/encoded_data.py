"""What is made of prepared data once, before networks are trained on them: a folder beside them.

    encoded.json      how the data are read
    captions/         captions as tokens (fm.data.embedded), where they are what networks are told

What the folder has not is as prepared.
"""

import json
from pathlib import Path

from fm.batches import Examples
from fm.conditions import Conditioner, Sequence
from fm.data.embedded import TEXT, Embedded
from fm.data.prepared import Prepared, PreparedError

INDEX = "encoded.json"
CAPTIONS = "captions"


def write_index(folder: Path, conditioner: Conditioner) -> None:
    """Last of all: a folder with it is complete."""
    content = {"conditioner": conditioner.choice}
    (folder / INDEX).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def examples_in(folder: Path, dataset: Prepared, split: str = "train") -> Examples:
    """What networks learn from, of a split of the dataset that the folder was made of.

    Raises:
        PreparedError: the folder is missing or damaged, or was made of other data.
    """
    conditioner = conditioner_in(folder)
    rows = dataset.test if split == "test" else dataset.train
    field = conditioner.fields.get(TEXT)
    if not isinstance(field, Sequence):
        return Examples(rows, dataset.codec, conditioner)
    captions = Embedded.open(folder / CAPTIONS, split, field.length)
    if len(captions) != len(rows):
        raise PreparedError(f"{folder} was made of other data: it has captions of {len(captions)} for {len(rows)}")
    return Examples(rows, dataset.codec, conditioner, captions)


def conditioner_in(folder: Path) -> Conditioner:
    """Raises PreparedError."""
    file = folder / INDEX
    try:
        return Conditioner.of(json.loads(file.read_text(encoding="utf-8"))["conditioner"])
    except FileNotFoundError:
        raise PreparedError(f"{folder}: there are no encoded data here ({INDEX} is missing)") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PreparedError(f"{file} can't be read: {error}") from None
