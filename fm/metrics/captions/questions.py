"""What a text-conditioned model is asked for, to see whether it follows: captions of real data, and what they say."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fm.data.embedding import captions_of
from fm.data.prepared import Prepared
from fm.metrics.captions.attributes import LABEL, Attribute, unlearnt, words_of

Of = Literal["held out", "seen"]
OF: tuple[Of, ...] = "held out", "seen"


@dataclass(frozen=True)
class Questions:
    """Captions of data of one split, each the first of its datum, in random order.

    Attributes:
        of: whether the data are those of the test split.
        numbers: of the data in their split, int64 (N,).
        labels: of what captions say, field by field, int64 (N,): the number of the attribute's value, or UNKNOWN.
        elsewise: a caption of the same with another label, "" where there is none.

    >>> Questions("seen", np.array([7]), ("a red shoe",), {"tone": np.array([-1])}, ("",)).of
    'seen'
    """

    of: Of
    numbers: NDArray[np.int64]
    captions: tuple[str, ...]
    labels: Mapping[str, NDArray[np.int64]]
    elsewise: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.numbers)


def questions(dataset: Prepared, attributes: Sequence[Attribute], of: Of, most: int, seed: int) -> Questions:
    """Of at most so many data: of the test split, or of those of the training split that classifiers have not learnt
    from (attributes.unlearnt). Data without captions are passed by."""
    split = "test" if of == "held out" else "train"
    rows = dataset.test if of == "held out" else dataset.train
    captions = [next(iter(each), "") for each in captions_of(rows)]
    possible = np.arange(len(rows)) if of == "held out" else unlearnt(len(rows))
    shuffled = np.random.default_rng([seed, 0]).permutation(possible)
    numbers = np.array([number for number in shuffled.tolist() if captions[number]][:most], dtype=np.int64)
    words = words_of(dataset, split)
    return Questions(
        of,
        numbers,
        tuple(captions[number] for number in numbers),
        {each.field: each.numbers(words[each.field][numbers]) for each in attributes},
        tuple(with_another_label(dataset, split, numbers, seed)),
    )


def with_another_label(dataset: Prepared, split: str, numbers: NDArray[np.int64], seed: int) -> list[str]:
    """For each of these data the first caption of one, of either split, that has another label and the same words in
    all fields that tell training data apart; "" where there is none."""
    fields = [
        field for field, words in words_of(dataset, "train").items() if field != LABEL and len(np.unique(words)) > 1
    ]
    if not fields or LABEL not in words_of(dataset, split):
        return [""] * len(numbers)
    alike: defaultdict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for each in ("train", "test"):
        words = words_of(dataset, each)
        keys = zip(*(words[field].tolist() for field in fields), strict=True)
        first = (next(iter(captions), "") for captions in captions_of(getattr(dataset, each)))
        for key, label, caption in zip(keys, words[LABEL].tolist(), first, strict=True):
            if caption:
                alike[key].append((label, caption))
    words, random = words_of(dataset, split), np.random.default_rng([seed, 1])
    found = []
    for number in numbers:
        others = alike[tuple(words[field][number] for field in fields)]
        captions = [caption for label, caption in others if label != words[LABEL][number]]
        found.append(captions[random.integers(len(captions))] if captions else "")
    return found
