"""Captions as they are stored: those of one datum are the lines of one text, and these texts lie packed.

So a caption is one line. Those that others have written are read in fm.data.caption_reading. The empty text is that of
a datum without captions.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

TEXT = "text"
"""The field that has them."""
PACKED = "str"
"""What a manifest says of its type where it has no fixed width."""


def as_lines(captions: Sequence[str]) -> str:
    r"""One text of the captions of a datum.

    >>> as_lines(("a red shoe", "a shoe"))
    'a red shoe\na shoe'

    Raises:
        ValueError: a caption is empty, has a line break, or is no Unicode: a surrogate alone.
    """
    for caption in captions:
        if not caption or "\n" in caption:
            raise ValueError(f"a caption must be a line with something in it, not {caption!r}")
        caption.encode()
    return "\n".join(captions)


def of_lines(text: str) -> tuple[str, ...]:
    r"""The captions that a text has.

    >>> of_lines("a red shoe\na shoe"), of_lines("")
    (('a red shoe', 'a shoe'), ())
    """
    return tuple(line for line in text.split("\n") if line)


class Packed:
    """Texts, one for each datum, as long as they are: an array of fixed width would give each the longest one's room.

    Args:
        content: uint8 (bytes,), all texts one after the other, in UTF-8.
        ends: int64 (N,), where each ends.

    Raises:
        ValueError: the ends are not those of this content.

    >>> texts = Packed.of(["a red shoe", "", "a shoe"])
    >>> texts[np.array([2, 0])]
    array(['a shoe', 'a red shoe'], dtype=object)
    """

    def __init__(self, content: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        starts = np.concatenate([[0], ends])
        if (np.diff(starts) < 0).any() or starts[-1] != len(content):
            raise ValueError(f"texts of {len(content)} bytes do not end where they should")
        self.content, self.ends = np.asarray(content), np.asarray(ends)  # slices of a memory map take their time

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Packed":
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        """Those of these data, as objects of str."""
        found = np.empty(len(rows), dtype=object)
        starts = np.where(rows > 0, self.ends[rows - 1], 0)
        for place, (start, end) in enumerate(zip(starts.tolist(), self.ends[rows].tolist(), strict=True)):
            found[place] = self.content[start:end].tobytes().decode()
        return found
