"""Averages of a training's weights at several lengths (train.average_lengths): from train, which keeps them, to
evaluate, which reads the method at the length that is best for it; and one of any length as a generator's folder:

    .venv/bin/python -m pipelines.averages flow_matching 0.08 --out generator/
"""

import argparse
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fm.averaging import LONGEST, NEAR, SHORTEST, Profile, distance
from fm.codecs import BESIDE
from fm.errors import UserError
from fm.evaluation import CONFIDENCE
from fm.metrics.intervals import mean_interval
from pipelines.params import require_method
from pipelines.program import run
from pipelines.project import SNAPSHOTS, whole_folder
from pipelines.schemas.evaluation import AtLength, EvaluationRow, Lengths

if TYPE_CHECKING:
    from fm.generator import Generator

FOLDER = "averages"  # in that of the method's snapshots
TRIED = (0.03, 0.05, 0.075, 0.1, 0.15, 0.2)
"""Lengths that evaluate reads a method at beside those kept, where these come near."""


def keep(method: str, made: Path) -> None:
    """Put the generator folders `made`/<length>/<images seen> where evaluate finds them."""
    if made.exists():
        shutil.copytree(made, SNAPSHOTS / method / FOLDER)


def there(method: str) -> dict[Profile, Path]:
    """The averages that a method's training kept."""
    found = (folder for folder in (SNAPSHOTS / method / FOLDER).glob("*/*") if folder.name != BESIDE)
    return {Profile(float(folder.name), float(folder.parent.name)): folder for folder in found}


def of_length(method: str, length: float) -> "Generator":
    """The generator of a method's whole training, its weights averaged at this length.

    Raises:
        UserError: the training kept no averages, or none that come near enough.
    """
    kept = there(method)
    if not kept:
        what = "no averages are kept" if (SNAPSHOTS / method).is_dir() else "is not trained yet"
        raise UserError(f"{method}: {what}: a training with train.average_lengths = [0.05, 0.1] keeps averages")
    wanted = Profile(max(one.step for one in kept), length)
    if (off := distance(list(kept), wanted)) > NEAR:
        lengths = ", ".join(f"{one:g}" for one in sorted({one.length for one in kept}))
        raise UserError(
            f"an average of length {length:g} cannot be had: those kept ({lengths}) come no nearer than {off:.0%} of "
            "its profile"
        )
    from fm.combining import combined

    return combined(kept, wanted)


def tried(method: str) -> tuple[float, ...]:
    """The lengths that a method is read at: none where its training kept no averages."""
    return lengths_of(list(there(method)))


def lengths_of(kept: Sequence[Profile]) -> tuple[float, ...]:
    """The lengths that are kept, and those of TRIED that can be made of them.

    >>> from fm.averaging import kept_of
    >>> lengths_of(kept_of([0.05, 0.1]))
    (0.03, 0.05, 0.075, 0.1, 0.15, 0.2)
    >>> lengths_of(kept_of([0.01, 0.02]))
    (0.01, 0.02)
    """
    if not kept:
        return ()
    end = max(one.step for one in kept)
    near = {length for length in TRIED if distance(kept, Profile(end, length)) <= NEAR}
    return tuple(sorted(near | {one.length for one in kept}))


def name(length: float) -> str:
    """A network with its weights averaged at another length, in words.

    >>> name(0.05)
    'averaged over 0.05 of the training'
    """
    return f"averaged over {length:g} of the training"


def read(method: str, finished: EvaluationRow, measure: Callable[[float], EvaluationRow]) -> Lengths | None:
    """A method by its best sampler at every length; nothing where its training kept no averages."""
    rows = {length: measure(length) for length in tried(method)}
    if not rows:
        return None
    each = [
        AtLength(length=length, distance=row.distance, distance_sets=row.distance_sets) for length, row in rows.items()
    ]
    sets = at_best({length: row.distance_sets for length, row in rows.items()})
    interval = mean_interval(sets, CONFIDENCE)
    return Lengths(
        sampler=finished.sampler,
        tried=each,
        best=min(each, key=lambda one: one.distance).length,
        distance=interval.mean,
        distance_low=interval.low,
        distance_high=interval.high,
        distance_sets=sets,
        untuned=finished.distance,
    )


def at_best(sets: Mapping[float, list[float]]) -> list[float]:
    """The distance of each sample set at the length that is best by all the others: the best by itself would be that by
    luck too.

    >>> at_best({0.05: [1.0, 9.0, 1.0], 0.1: [2.0, 2.0, 2.0]})
    [2.0, 9.0, 2.0]
    """
    values = np.array(list(sets.values()))
    others = values.sum(axis=1, keepdims=True) - values
    chosen = others.argmin(axis=0)
    found: list[float] = values[chosen, np.arange(values.shape[1])].tolist()
    return found


def main() -> None:
    """Raises UserError: the folder is there already or cannot be written, or there is no such method or average."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.averages", description="A trained method, its weights averaged at another length."
    )
    parser.add_argument("method")
    parser.add_argument(
        "length", type=float, help=f"the average's, as a share of the training: {SHORTEST} to {LONGEST}"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the generator that is made, not there yet")
    chosen = parser.parse_args()
    if not SHORTEST <= chosen.length <= LONGEST:
        parser.error(f"the length must be from {SHORTEST} to {LONGEST}, not {chosen.length:g}")
    if chosen.out.exists():
        raise UserError(f"{chosen.out} is there already: name a folder that is not")
    require_method(chosen.method)
    generator = of_length(chosen.method, chosen.length)
    try:
        with whole_folder(chosen.out) as partial:
            generator.save(partial)
    except OSError as error:
        raise UserError(f"can't write {chosen.out}: {error.strerror or error}") from None
    print(chosen.out)


if __name__ == "__main__":
    run(main)
