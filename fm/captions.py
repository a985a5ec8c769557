"""Which of its captions a datum is seen under: another one at every visit, a function of (seed, position)."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fm.data.captions import of_lines
from fm.noise import Draws, Purpose


def chosen(counts: NDArray[np.int64], draws: Draws) -> NDArray[np.int64]:
    """The number of the caption for each of the data at the positions of `draws`, int64 (B,), each as likely.

    Args:
        counts: how many captions each has, int64 (B,).

    Returns:
        From 0 up to the count; -1 where there is none.

    >>> chosen(np.array([3, 1, 0]), Draws(seed=0, positions=[5, 6, 7]))[1:]
    array([ 0, -1])
    """
    # In double precision, in which no number below 1 is rounded up to the count.
    uniform = draws.uniform(1, Purpose.CAPTION)[:, 0].double().cpu().numpy()
    return np.where(counts > 0, (uniform * counts).astype(np.int64), -1)


def seen(texts: Iterable[str], draws: Draws) -> list[str]:
    r"""The caption for each of the data at the positions of `draws`; empty where there is none.

    Args:
        texts: a text for each, whose lines are its captions, as the field `text` of prepared data has it.

    >>> seen(["a red shoe", ""], Draws(seed=0, positions=[5, 6]))
    ['a red shoe', '']
    """
    captions = [of_lines(text) for text in texts]
    numbers = chosen(np.array([len(one) for one in captions], dtype=np.int64), draws)
    return [of_one[number] if number >= 0 else "" for of_one, number in zip(captions, numbers.tolist(), strict=True)]
