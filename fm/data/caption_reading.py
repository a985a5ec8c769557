"""Captions as others have written them: which are kept, and why the others are not.

Nothing about a caption makes an image bad: it is kept without, and what is wrong is counted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

MOST_CHARACTERS = 2000
"""In a caption. What encoders of text read is shorter: 77 tokens of CLIP, 512 of T5."""
MOST_BYTES = 1_000_000
"""In a text file of captions."""
EXAMPLES = 5
"""Places that are named of each fault."""

NONE, EMPTY, NOT_UTF8 = "without one", "empty", "not UTF-8"
LONG = f"longer than {MOST_CHARACTERS:,} characters"
NOT_TEXT, NOT_READ = "that are no text", "that cannot be read"

COLUMN = re.compile(r"(text|caption|prompt|sentence)s?(_?\d+)?", re.IGNORECASE)
"""Columns and keys that are captions, all of them: `text`, `captions`, `caption_0`."""


class Fault(NamedTuple):
    """Why something is no caption, and where: the image's name, or the file and line.

    >>> Fault(EMPTY, "shoes/left.png").reason
    'empty'
    """

    reason: str
    place: str


class Faults(NamedTuple):
    """All faults of a kind: how many, and where some of them are.

    >>> Faults(EMPTY, 50, ("shoes/left.png", "shoes/right.png")).number
    50
    """

    reason: str
    number: int
    places: tuple[str, ...]


class Said(NamedTuple):
    """What is written about an image.

    Attributes:
        captions: each a line with something in it.
        faults: why others are not among them.

    >>> said([" a red shoe\\n", "a red  shoe", None, ""])
    Said(captions=('a red shoe',), faults=('empty',))
    """

    captions: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def and_also(self, other: "Said") -> "Said":
        """Both, each caption once."""
        return Said(tuple(dict.fromkeys(self.captions + other.captions)), self.faults + other.faults)


NOTHING = Said()


class NoCaption(ValueError):
    """The reason is the message."""


def said(values: Iterable[Any]) -> Said:
    """The captions among values of any kind, in their order, each once; a list stands for what is in it."""
    captions, faults = dict[str, None](), list[str]()
    for value in flat(values):
        try:
            captions[caption(value)] = None
        except NoCaption as reason:
            faults.append(str(reason))
    return Said(tuple(captions), tuple(faults))


def flat(values: Iterable[Any]) -> Iterable[Any]:
    """All but what is not there. A list in a list is left, and is no text."""
    for value in values:
        yield from (one for one in (value if isinstance(value, list) else [value]) if one is not None)


def caption(value: Any) -> str:
    """A text, or its UTF-8 bytes, as one line with single blanks. Raises NoCaption."""
    try:
        text = value.decode() if isinstance(value, bytes) else value
        if not isinstance(text, str):
            raise NoCaption(NOT_TEXT)
        line = " ".join(text.split())
        line.encode()  # JSON can have surrogates that stand alone
    except UnicodeError:
        raise NoCaption(NOT_UTF8) from None
    if not line:
        raise NoCaption(EMPTY)
    if len(line) > MOST_CHARACTERS:
        raise NoCaption(LONG)
    return line


def said_in_file(content: bytes) -> Said:
    """The captions of a text file: each line that has something in it.

    >>> said_in_file(b"a red shoe\\r\\n\\r\\na shoe\\n").captions
    ('a red shoe', 'a shoe')
    """
    if len(content) > MOST_BYTES:
        return Said(faults=(LONG,))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Said(faults=(NOT_UTF8,))
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return said(lines or [""])


def said_in_row(row: Mapping[str, Any]) -> Said:
    """The captions of a row of a table, or of an object of JSON: those of all columns that are called so.

    >>> said_in_row({"file_name": "left.png", "text": "a red shoe", "captions": ["a shoe", "a pump"]}).captions
    ('a red shoe', 'a shoe', 'a pump')
    """
    return said(value for name, value in row.items() if has_captions(name))


def has_captions(column: Any) -> bool:
    return isinstance(column, str) and COLUMN.fullmatch(column) is not None


def of_images(images: Iterable[tuple[str, int, Iterable[str]]], missing: bool) -> Iterable[Fault]:
    """The faults of images: name, number of captions, reasons.

    Args:
        missing: whether it is one to have no caption.
    """
    for name, count, reasons in images:
        faults = [Fault(reason, name) for reason in reasons]
        yield from faults or ([Fault(NONE, name)] if missing and not count else [])


def summed(faults: Iterable[Fault]) -> tuple[Faults, ...]:
    """One for each reason, with the first places by name.

    >>> summed([Fault(EMPTY, "b.png"), Fault(NONE, "c.png"), Fault(EMPTY, "a.png")])[0]
    Faults(reason='empty', number=2, places=('a.png', 'b.png'))
    """
    counts, places = dict[str, int](), dict[str, list[str]]()
    for reason, place in faults:
        counts[reason] = counts.get(reason, 0) + 1
        places[reason] = sorted([*places.get(reason, []), place])[:EXAMPLES]
    return tuple(Faults(reason, count, tuple(places[reason])) for reason, count in sorted(counts.items()))


def numbers_of(counts: Iterable[int]) -> dict[int, int]:
    """How many images have how many captions, the fewest first; nothing where none has one.

    >>> numbers_of([5, 0, 5]), numbers_of([0, 0])
    ({0: 1, 5: 2}, {})
    """
    found = Counter(counts)
    return dict(sorted(found.items())) if set(found) - {0} else {}
