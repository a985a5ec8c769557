"""How far a method follows captions, where its network is told some (fm.metrics.captions)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fm.data.captions import TEXT
from fm.data.prepared import Prepared
from fm.generator import Generator
from fm.metrics.captions import following
from fm.metrics.captions.following import Figure
from fm.metrics.captions.judges import Judges
from fm.metrics.extractors import Asked, Extractor, TwoTowers
from fm.work_queue import ALONE, Workers
from pipelines.params import Evaluate
from pipelines.project import CAPTIONS, FEATURES
from pipelines.sample_sets import plan_of
from pipelines.schemas.evaluation import CaptionFigure, EvaluationRow
from pipelines.words import percent


def train_judges(asked: Asked, extractor: Extractor, folder: Path) -> None:
    """Leave those who judge whether captions are followed in a folder with features.

    Args:
        extractor: the one of that folder, which may be one of them.
    """
    towers = extractor if isinstance(extractor, TwoTowers) else None
    Judges.trained(asked, towers).save(folder / CAPTIONS)


def is_told_captions(generator: Generator) -> bool:
    return TEXT in generator.conditioner.fields


def deciding(rows: Sequence[EvaluationRow], nfe: int) -> int:
    """Which row is closest to the data of those with the evaluations that decide; of all, where there are none."""
    of_all = [row.nfe == nfe for row in rows]
    costs = [row.distance if decides or not any(of_all) else np.inf for row, decides in zip(rows, of_all, strict=True)]
    return int(np.argmin(costs))


def follow(generator: Generator, dataset: Prepared, chosen: Evaluate, workers: Workers = ALONE) -> list[CaptionFigure]:
    """All figures of a generator by its own sampler, drawn together with the other workers; only the first one gets
    them."""
    clip = None if chosen.clip is None else Path(chosen.clip).expanduser()
    judges = Judges.load(FEATURES / CAPTIONS, generator.device, clip)
    found = following.follow(generator, judges, dataset, plan_of(chosen, len(dataset.test)), workers)
    for each in found:
        print(told(each), flush=True)
    return [figure(each) for each in found]


def figure(found: Figure) -> CaptionFigure:
    share, low, high = found.interval
    return CaptionFigure(
        kind=found.kind,
        what=found.what,
        of=found.of,
        share=share,
        share_low=low,
        share_high=high,
        share_sets=found.sets,
        floor=found.floor,
        ceiling=found.ceiling,
        count=found.count,
    )


def told(found: Figure) -> str:
    share, floor, ceiling = (percent(part) for part in (found.interval.mean, found.floor, found.ceiling))
    return f"{found.kind} ({found.what}, {found.of}): {share}; {floor} where captions are shuffled, real {ceiling}"
