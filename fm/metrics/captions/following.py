"""How far a text-conditioned model follows its captions: by its own loss, and by networks that look at what it makes.

    ranking      is a datum likelier, to the model itself, under its own caption than under another?
    retrieval    is a picture found by the caption that it was made for?
    attribute    does it show what its caption says in a word?
    clip         how near are a picture and the caption that it was made for to a CLIP?

Each figure has a floor beside it, what comes out where captions are shuffled, and a ceiling, that of real pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from fm.data.prepared import Prepared
from fm.evaluation import CONFIDENCE, Plan
from fm.generator import Generator
from fm.metrics.captions.attributes import UNKNOWN
from fm.metrics.captions.judges import PLACE, SEES, TO_CLIP, Judges, directions
from fm.metrics.captions.questions import OF, Of, Questions, questions
from fm.metrics.captions.ranking import another, losses, ranked_right
from fm.metrics.captions.retrieval import found_at, ranks
from fm.metrics.intervals import Interval, mean_interval, share_interval
from fm.pictures import pictures
from fm.work_queue import ALONE, Arrays, Workers

Kind = Literal["ranking", "retrieval", "attribute", "clip"]
AMONG, FIRST = 100, 5
"""A picture's caption is to be the first among so many, and one of the first so many among all."""
EITHER, ALWAYS = 0.5, 1.0
"""The shares that are ranked right where a model does not look at captions, and where it knows all of them."""


@dataclass(frozen=True)
class Answers:
    """What is right of the data that were asked for, one by one.

    Attributes:
        kind, what: what is looked at, and of what: the field of an attribute, for instance.
        right: (N,) from 0 to 1; of `clip`, how near.
        counted: bool (N,), which of the data can be right or wrong.
        floor, ceiling: the share of right ones where captions are shuffled, and that of real pictures.

    >>> Answers("attribute", "tone", np.array([True, False]), np.array([True, True]), 0.2, 0.9).what
    'tone'
    """

    kind: Kind
    what: str
    right: NDArray[Any]
    counted: NDArray[np.bool_]
    floor: float
    ceiling: float


@dataclass(frozen=True)
class Figure:
    """The share of right answers.

    Attributes:
        kind, what, floor, ceiling: as of the answers.
        of: which data: of combinations that are held out, or that the model was trained on.
        sets: the share in each of several sets, which have no datum and no noise in common.
        count: data in all sets together.

    >>> Figure("attribute", "tone", "held out", [0.5, 0.7], floor=0.2, ceiling=0.9, count=100).interval.mean
    0.6
    """

    kind: Kind
    what: str
    of: Of
    sets: list[float]
    floor: float
    ceiling: float
    count: int

    @classmethod
    def of_answers(cls, answers: Answers, of: Of, sets: int) -> Self | None:
        """Nothing where fewer than two sets have data that count."""
        parts = np.array_split(np.arange(len(answers.right)), sets)
        shares = [
            float(answers.right[part][answers.counted[part]].mean()) for part in parts if answers.counted[part].any()
        ]
        if len(shares) < 2:
            return None
        count = int(answers.counted.sum())
        return cls(answers.kind, answers.what, of, shares, float(answers.floor), float(answers.ceiling), count)

    @property
    def interval(self) -> Interval:
        return (mean_interval if self.kind == "clip" else share_interval)(self.sets, CONFIDENCE)


def follow(
    generator: Generator, judges: Judges, dataset: Prepared, plan: Plan, workers: Workers = ALONE
) -> list[Figure]:
    """All figures of a generator by its own sampler. Data, noise and order are the same for every generator.

    Args:
        plan: its sets have at most `count` data each.
        workers: who share the work. All of them call this alike, and the first one gets the figures, the others none.
    """
    most, first_index = plan.count * plan.sets, 0
    found = []
    for of in OF:
        asked = questions(dataset, judges.attributes, of, most, plan.seed)
        if len(set(asked.captions)) > 1:
            answers = all_answers(generator, judges, dataset, asked, plan, first_index, workers)
            found += [Figure.of_answers(each, of, plan.sets) for each in answers]
        first_index += len(asked)
    return [each for each in found if each is not None]


def all_answers(
    generator: Generator,
    judges: Judges,
    dataset: Prepared,
    asked: Questions,
    plan: Plan,
    first_index: int,
    workers: Workers,
) -> list[Answers]:
    """Attribute by attribute of both kinds of data; the rest of held-out data alone."""
    ranked = list(ranking(generator, dataset, asked, plan, workers)) if asked.of == "held out" else []
    made = draw(generator, judges, asked, plan, first_index, workers)
    if not workers.is_first:
        return []
    real = look_at_real(judges, dataset, asked, plan)
    found = (
        [*retrieval(judges, asked, made, real, plan.seed), *nearness(judges, asked, made, real, plan.seed)]
        if asked.of == "held out"
        else []
    )
    return [*ranked, *found, *recognition(asked, made, real, plan.seed)]


def ranking(
    generator: Generator, dataset: Prepared, asked: Questions, plan: Plan, workers: Workers = ALONE
) -> Iterator[Answers]:
    """Data under their own captions, under others at random, and under those of the same with another label."""
    captions = np.array(asked.captions, dtype=object)
    shuffled = captions[another(asked.captions, plan.seed)]
    # Where there is no other label its own caption stands in, and is not counted.
    elsewise = np.where(np.array(asked.elsewise) == "", captions, np.array(asked.elsewise, dtype=object))

    def chunk(start: int) -> Arrays:
        part = slice(start, start + plan.batch_size)
        data = real_data(dataset, asked, part)
        under = [each[part].tolist() for each in (captions, shuffled, elsewise)]
        return {"losses": losses(generator, data, under, plan.seed, batch_size=plan.batch_size, first_index=start)}

    made = workers.map(chunk, range(0, len(asked), plan.batch_size))
    if workers.is_first:
        right = ranked_right(np.concatenate([one["losses"] for one in made]))
        for number, (what, other) in enumerate((("another caption", shuffled), ("another label", elsewise))):
            yield Answers("ranking", what, right[:, number], captions != other, EITHER, ALWAYS)


def draw(
    generator: Generator, judges: Judges, asked: Questions, plan: Plan, first_index: int, workers: Workers
) -> Arrays:
    """What the judges see in a picture made for each question; nothing for other workers than the first."""

    def chunk(start: int) -> Arrays:
        captions = asked.captions[start : start + plan.batch_size]
        x, _ = generator.sample_float(len(captions), plan.seed, captions, first_index + start, plan.batch_size)
        return judges.look(pictures(generator.codec.decode(x), generator.codec))

    return together(workers.map(chunk, range(0, len(asked), plan.batch_size)))


def look_at_real(judges: Judges, dataset: Prepared, asked: Questions, plan: Plan) -> Arrays:
    """What they see in the real ones."""
    starts = range(0, len(asked), plan.batch_size)
    parts = (real_data(dataset, asked, slice(start, start + plan.batch_size)) for start in starts)
    return together([judges.look(pictures(data, dataset.codec)) for data in parts])


def real_data(dataset: Prepared, asked: Questions, part: slice) -> NDArray[Any]:
    """As they are stored, (B, *stored)."""
    rows = dataset.test if asked.of == "held out" else dataset.train
    return rows[asked.numbers[part]]["data"]


def together(parts: list[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def retrieval(judges: Judges, asked: Questions, made: Arrays, real: Arrays, seed: int) -> Iterator[Answers]:
    """Pictures and the captions of all questions: whether a picture's own one is the first of a hundred, and one of
    the first five of all, where there are more."""
    places = {caption: place for place, caption in enumerate(dict.fromkeys(asked.captions))}
    captions = directions(judges.towers.read(list(places)))
    own = np.array([places[caption] for caption in asked.captions])
    each = ((made, own), (real, own[another(asked.captions, seed)]), (real, own))
    for first, among in ((1, min(AMONG, len(places))), (FIRST, len(places))):
        if first >= among:
            continue
        right, by_chance, of_real = (
            found_at(ranks(seen[PLACE], captions, wanted), first, among, len(places)) for seen, wanted in each
        )
        counted = np.ones(len(asked), np.bool_)
        yield Answers("retrieval", f"{first} of {among}", right, counted, by_chance.mean(), of_real.mean())


def nearness(judges: Judges, asked: Questions, made: Arrays, real: Arrays, seed: int) -> Iterator[Answers]:
    """The cosine between a picture and its caption where there is a CLIP, 0 where it is below."""
    if judges.clip is None:
        return
    captions = judges.clip.read(asked.captions)
    near, by_chance, of_real = (
        np.maximum((seen[TO_CLIP] * of).sum(axis=1), 0)
        for seen, of in ((made, captions), (real, captions[another(asked.captions, seed)]), (real, captions))
    )
    yield Answers("clip", "cosine", near, np.ones(len(asked), np.bool_), by_chance.mean(), of_real.mean())


def recognition(asked: Questions, made: Arrays, real: Arrays, seed: int) -> Iterator[Answers]:
    """Whether pictures show what their captions say, attribute by attribute."""
    others = another(asked.captions, seed)
    for field, wanted in asked.labels.items():
        seen, there, known = made[f"{SEES}{field}"], real[f"{SEES}{field}"], wanted != UNKNOWN
        both = known & (wanted[others] != UNKNOWN)
        if both.any():
            floor, ceiling = (there == wanted[others])[both].mean(), (there == wanted)[known].mean()
            yield Answers("attribute", field, seen == wanted, known, floor, ceiling)
