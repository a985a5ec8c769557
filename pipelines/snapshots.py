"""Networks kept along a training (train.snapshots): from train, which makes them, to evaluate, which measures them."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fm.codecs import BESIDE
from fm.config import SamplerConfig
from fm.errors import UserError
from pipelines.project import SNAPSHOTS, whole_folder
from pipelines.schemas.evaluation import EvaluationRow, Snapshot

INDEX, BEFORE = "images_seen.json", "before"


def keep(method: str, made: Path, images_seen: int, before: int = 0) -> None:
    """Put the generator folders in `made`, and the codec that they share, where evaluate finds them.

    Args:
        images_seen: by the finished network, in this training.
        before: by the network that it has gone on from.
    """
    folders = [folder for folder in made.iterdir() if folder.is_dir()] if made.exists() else []
    found = sorted(int(folder.name) for folder in folders if folder.name != BESIDE)
    with whole_folder(SNAPSHOTS / method) as target:
        for folder in folders:
            shutil.copytree(folder, target / folder.name)
        content = {"snapshots": found, "finished": images_seen, **({BEFORE: before} if before else {})}
        (target / INDEX).write_text(json.dumps(content) + "\n", encoding="utf-8")


def of_itself(rows: Sequence[EvaluationRow]) -> int | None:
    """By which row's sampler the networks of the way are measured: the best for the finished one of those that do not
    lead away from a snapshot, which for a younger network is a better one. None where all do."""
    distances = {place: row.distance for place, row in enumerate(rows) if row.sampler.snapshot is None}
    return min(distances, key=distances.__getitem__) if distances else None


def along(
    method: str, finished: EvaluationRow, measure: Callable[[Path, SamplerConfig], EvaluationRow]
) -> list[Snapshot]:
    """Each network of the way, measured by a sampler of the finished one, which comes last (of_itself).

    What a network had seen before it went on from another counts.
    """
    seen = index(method)
    if not seen["snapshots"]:
        return []
    rows = {count: measure(SNAPSHOTS / method / str(count), finished.sampler) for count in seen["snapshots"]}
    before = seen.get(BEFORE, 0)
    return [snapshot(before + count, row) for count, row in {**rows, seen["finished"]: finished}.items()]


def folders(method: str) -> list[Path]:
    """Of the networks of the way, in their order."""
    return [SNAPSHOTS / method / str(count) for count in index(method)["snapshots"]]


def name(folder: Path) -> str:
    """A network of the way in words, by its folder.

    >>> name(Path("artifacts/snapshots/diffusion/6400"))
    'snapshot after 6,400 images of this training'
    """
    return f"snapshot after {int(folder.name):,} images of this training"


def weaker(method: str, samplers: Iterable[SamplerConfig]) -> dict[int, Path]:
    """The folders of the networks that samplers lead away from, by their number (Generator.load).

    Raises:
        UserError: the training kept no such network.
    """
    numbers = {sampler.snapshot for sampler in samplers if sampler.snapshot is not None}
    there = dict(enumerate(folders(method), start=1)) if numbers else {}
    if absent := sorted(numbers - there.keys()):
        raise UserError(
            f"params.yaml: methods.{method}.samplers: guidance away from snapshot {absent[0]}: the training kept "
            f"{len(there)} (train.snapshots)"
        )
    return {number: there[number] for number in sorted(numbers)}


def index(method: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SNAPSHOTS / method / INDEX).read_text(encoding="utf-8"))
    return found


def snapshot(images_seen: int, row: EvaluationRow) -> Snapshot:
    return Snapshot(
        images_seen=images_seen,
        distance=row.distance,
        distance_sets=row.distance_sets,
        distance_infinity_sets=row.distance_infinity_sets,
    )
