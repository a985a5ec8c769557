"""Writes prepared datasets (fm.data.prepared)."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fm.codecs import BESIDE, Codec, Pixels, measured, rounded
from fm.conditions import Conditioner, Labels
from fm.data.captions import Packed, as_lines
from fm.data.coded import CodedSplits
from fm.data.prepared import MANIFEST, PACKED_IN, SHARDS, SPLITS, described, file_of
from fm.data.rows import Arrays
from fm.data.splits import Splits
from fm.data.sums import sha256

if TYPE_CHECKING:
    from fm.data.assembling import Sharded
    from fm.data.sharding import Plan

MIDDLE = 127.5  # grey levels that are 1 as modelled


def write(folder: Path, splits: Splits | CodedSplits, name: str) -> None:
    """A prepared dataset of pictures with labels, or of what comes with a codec of its own."""
    if isinstance(splits, CodedSplits):
        write_fields(folder, name, splits.train, splits.test, splits.codec, splits.conditioner)
        return
    about = beside(splits.train_about, splits.test_about)
    train = Arrays({"data": splits.train_images, "label": splits.train_labels, **about[0]}, packed(splits.train_texts))
    test = Arrays({"data": splits.test_images, "label": splits.test_labels, **about[1]}, packed(splits.test_texts))
    write_fields(folder, name, train, test, Pixels(splits.train_images.shape[1:]), Labels(splits.label_names))


def packed(texts: Sequence[Sequence[str]]) -> Packed | None:
    """The captions of the images of a split; none where no image has one."""
    return Packed.of(map(as_lines, texts)) if texts else None


def beside(*splits: Mapping[str, Sequence[str]]) -> list[dict[str, NDArray[Any]]]:
    """Fields of words, each of one type in all splits."""
    longest = {field: max(len(word) for one in splits for word in one[field]) for field in splits[0]}
    return [{field: np.array(one[field], dtype=f"<U{longest[field] or 1}") for field in longest} for one in splits]


def write_fields(folder: Path, name: str, train: Arrays, test: Arrays, codec: Codec, conditioner: Conditioner) -> None:
    """A prepared dataset of whatever a codec can say, with what its conditioner reads beside the data.

    The scale of the codec is measured here. The manifest comes last, so that a folder with one is complete.

    Raises:
        ValueError: the splits do not go together, or are not what codec and conditioner read.
    """
    if str(train.data.dtype) != codec.dtype:
        raise ValueError(f"data are {train.data.dtype}, and the codec stores {codec.dtype}")
    if missing := [name for name in conditioner.beside_data if name not in train.fields]:
        raise ValueError(f"the conditioner reads {', '.join(missing)}, which the data have not beside them")
    codec = measured(codec, train)
    described(name, codec.choice, conditioner.choice, train, test, {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    sums: dict[str, str] = {}
    for split, rows in zip(SPLITS, (train, test), strict=True):
        fields = dict(rows.fields)
        if rows.texts is not None:
            fields |= zip(PACKED_IN, (rows.texts.content, rows.texts.ends), strict=True)
        sums |= save_arrays(folder, split, fields)
    codec.save(folder / BESIDE)
    save_manifest(folder, described(name, codec.choice, conditioner.choice, train, test, sums))


def write_sharded(folder: Path, name: str, made: "Sharded", plan: "Plan", window_bytes: int) -> None:
    """A prepared dataset of pictures with labels, whose data are in shards already (fm.data.sharding).

    Args:
        window_bytes: of the shards whose rows are shuffled together.
    """
    from fm.data.shard_cache import Folder
    from fm.data.shards import Shards

    conditioner = Labels(made.label_names)
    codec = Pixels(plan.stored, scale=rounded(made.deviation / MIDDLE) or Pixels(plan.stored).scale)
    largest = max(shard.bytes for shard in made.train)
    window = max(window_bytes // largest, 1)
    shelf = Folder(plan.shards)
    kind = bool(made.captions), plan.stored, codec.dtype, window
    train = Shards(made.train, shelf, {"label": made.train_labels}, *kind)
    test = Shards(made.test, shelf, {"label": made.test_labels}, *kind)
    folder.mkdir(parents=True, exist_ok=True)
    sums: dict[str, str] = {}
    for split, some in zip(SPLITS, (train, test), strict=True):
        sums |= save_arrays(folder, split, some.beside)
        if plan.place is None:
            for shard in some.shards:
                bring(plan.shards / shard.file, folder / SHARDS / shard.file)
    about = {
        "place": None if plan.place is None else str(plan.place),
        "window": window,
        "train": [list(shard) for shard in made.train],
        "test": [list(shard) for shard in made.test],
    }
    save_manifest(folder, {**described(name, codec.choice, conditioner.choice, train, test, sums), SHARDS: about})


def bring(path: Path, target: Path) -> None:
    """A file to another place, without its bytes where that can be."""
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:  # another file system
        shutil.copyfile(path, target)


def save_arrays(folder: Path, split: str, fields: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Each in a file of its own; their sums by their names."""
    sums = {}
    for field, array in fields.items():
        path = folder / file_of(split, field)
        content = np.ascontiguousarray(array)
        np.save(path, content.astype(content.dtype.newbyteorder("<"), copy=False), allow_pickle=False)
        sums[path.name] = sha256(path)
    return sums


def save_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
