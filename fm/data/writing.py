"""Writes prepared datasets (fm.data.prepared)."""

import json
from pathlib import Path

import numpy as np

from fm.codecs import Codec, Pixels, measured
from fm.conditions import Conditioner, Labels
from fm.data.prepared import MANIFEST, SPLITS, described, file_of, sha256
from fm.data.rows import Arrays
from fm.data.splits import Splits


def write(folder: Path, splits: Splits, name: str) -> None:
    """A prepared dataset of pictures with labels."""
    train = Arrays({"data": splits.train_images, "label": splits.train_labels})
    test = Arrays({"data": splits.test_images, "label": splits.test_labels})
    write_fields(folder, name, train, test, Pixels(splits.train_images.shape[1:]), Labels(splits.label_names))


def write_fields(folder: Path, name: str, train: Arrays, test: Arrays, codec: Codec, conditioner: Conditioner) -> None:
    """A prepared dataset of whatever a codec can say, with what its conditioner reads beside the data.

    The scale of the codec is measured here. The manifest comes last, so that a folder with one is complete.

    Raises:
        ValueError: the splits do not go together, or are not what codec and conditioner read.
    """
    if str(train.data.dtype) != codec.dtype:
        raise ValueError(f"data are {train.data.dtype}, and the codec stores {codec.dtype}")
    if missing := [name for name in conditioner.fields if name not in train.fields]:
        raise ValueError(f"the conditioner reads {', '.join(missing)}, which the data have not beside them")
    codec = measured(codec, train)
    described(name, codec.choice, conditioner.choice, train, test, {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    sums: dict[str, str] = {}
    for split, rows in zip(SPLITS, (train, test), strict=True):
        for field, array in rows.fields.items():
            path = folder / file_of(split, field)
            content = np.ascontiguousarray(array)
            np.save(path, content.astype(content.dtype.newbyteorder("<"), copy=False), allow_pickle=False)
            sums[path.name] = sha256(path)
    manifest = described(name, codec.choice, conditioner.choice, train, test, sums)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
