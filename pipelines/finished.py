"""A training that has finished, kept until the next of its stage does: where DVC was killed meanwhile, nobody has taken
what it made, and DVC would have it trained again.

`<cache>/finished/<stage>/` has its outputs, each under its own path, the stage's key and the outputs' checksums.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipelines.project import cache_dir, whole_file, whole_folder
from pipelines.stage import Stage, recorded

INDEX = "finished.json"


def home(stage: Stage) -> Path:
    return cache_dir() / "finished" / stage.name


def keep(stage: Stage, outputs: Sequence[Path]) -> None:
    """Keep a stage's outputs, files and folders, instead of those of the one before."""
    with whole_folder(home(stage)) as folder:
        for output in outputs:
            copy(output, folder / output)
        index = {"key": stage.key, "sha256": checksums(folder)}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def is_waiting(stage: Stage) -> bool:
    """Whether the outputs of exactly this stage are kept whole, and DVC has not recorded them: what it has recorded and
    runs all the same is meant to run again."""
    folder = home(stage)
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        key, expected = index["key"], index["sha256"]
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged
        return False
    taken = recorded(stage.name)
    return key == stage.key and (taken is None or taken.key != stage.key) and expected == checksums(folder)


def take(stage: Stage, outputs: Sequence[Path]) -> None:
    """Put the outputs that are kept where they belong."""
    folder = home(stage)
    for output in outputs:
        if (folder / output).is_dir():
            with whole_folder(output) as whole:
                shutil.copytree(folder / output, whole, dirs_exist_ok=True)
        else:
            with whole_file(output) as partial:
                shutil.copyfile(folder / output, partial)
    print(
        f"{stage.name}: taken as it was finished before, by the same settings, code and data, of which DVC has no "
        f"record; remove {folder} to run it again",
        flush=True,
    )


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def checksums(folder: Path) -> dict[str, str]:
    """File -> SHA-256, of all but the index."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != INDEX
    }
