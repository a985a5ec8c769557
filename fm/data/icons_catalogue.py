"""Which icons there are: sets of drawings joined with the names of Unicode's emoji, by code point.

A set (`@iconify-json`) has `chars.json`, code point -> name of a drawing, and `icons.json`, which has the drawings as
the inside of an SVG file. What an emoji is called is said by `emojibase-data`: an entry for each, with its skin tones
below it.

Source: https://iconify.design/docs/types/iconify-json.html, https://emojibase.dev/docs/datasets
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fm.data.npm import members
from fm.data.splits import LeftOut

TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
"""Skin tones by their numbers in emojibase-data, from 1."""
VARIATION = "fe0f"  # the selector is in the code points of one and not of the other
NO_GROUP = "symbols"  # the regional indicators, letters that flags are made of, are in none
NO_NAME = "icons of code points without a name"
NO_CODE = "hidden icons"
MIRRORED = "mirrored icons"
AS_ANOTHER = "icons drawn as another"


@dataclass(frozen=True)
class Emoji:
    """What is said of an emoji, whoever draws it.

    Attributes:
        code: its code points, `1f44b-1f3ff`.
        concept: those of the same without a skin tone, `1f44b`.
        name: of the concept.
        group: what kind of thing it is, `people-body`.
        tones: of skin, one of each person whose skin has one; none where it is yellow or there is nobody.

    >>> Emoji("1f44b-1f3ff", "1f44b", "waving hand", ("hello", "wave"), "people-body", ("dark",)).tones
    ('dark',)
    """

    code: str
    concept: str
    name: str
    tags: tuple[str, ...]
    group: str
    tones: tuple[str, ...]


@dataclass(frozen=True)
class Icon:
    """An emoji as a set draws it.

    Attributes:
        svg: the drawing, a whole SVG file.

    >>> clock = Emoji("1f552", "1f552", "three o’clock", ("3:00",), "travel-places", ())
    >>> Icon("noto", clock, svg="<svg/>").file
    'noto/1f552'
    """

    style: str
    emoji: Emoji
    svg: str

    @property
    def file(self) -> str:
        return f"{self.style}/{self.emoji.code}"


def emoji_of(archive: bytes) -> dict[str, Emoji]:
    """All that emojibase-data has English names of, by code point, in its order: first without a skin tone."""
    entries, meta = members(archive, "en/data.json", "meta/groups.json")
    return {one.code: one for entry in entries for one in with_tones(entry, meta["groups"])}


def with_tones(entry: Mapping[str, Any], groups: Mapping[str, str]) -> Iterator[Emoji]:
    concept = same(entry["hexcode"])
    group = groups[str(entry["group"])] if "group" in entry else NO_GROUP
    said = concept, entry["label"], tuple(entry.get("tags", ())), group
    yield Emoji(concept, *said, tones=())
    for skin in entry.get("skins", ()):
        numbers = skin["tone"] if isinstance(skin["tone"], list) else [skin["tone"]]
        yield Emoji(same(skin["hexcode"]), *said, tones=tuple(TONES[number - 1] for number in numbers))


def icons_of(style: str, archive: bytes, emoji: Mapping[str, Emoji]) -> tuple[list[Icon], list[LeftOut]]:
    """The icons of a set that have a name, in the order of `emoji`, and how many others there are.

    Of several that are drawn alike (families, an island's flag and its country's) the first is there: what is said of
    the others is not to be seen.
    """
    drawings, codes = members(archive, "icons.json", "chars.json")
    names = {same(code): name for code, name in codes.items()}
    icons: dict[str, Icon] = {}
    for one in emoji.values():
        if one.code in names:
            drawing = drawings["icons"][names[one.code]]
            icons.setdefault(drawing["body"], Icon(style, one, svg_of(drawing, drawings)))
    named = sum(code in emoji for code in names)
    counts = {
        NO_NAME: len(names) - named,
        NO_CODE: sum(bool(drawing.get("hidden")) for drawing in drawings["icons"].values()),
        MIRRORED: sum("hFlip" in alias for alias in drawings["aliases"].values()),
        AS_ANOTHER: named - len(icons),
    }
    return list(icons.values()), [LeftOut(style, kind, count) for kind, count in counts.items() if count]


def svg_of(drawing: Mapping[str, Any], of: Mapping[str, Any]) -> str:
    """A drawing as a file, in the middle of a square; it has the size of all of its set, unless it says another.

    >>> svg_of({"body": "<path/>", "height": 30}, {"width": 32, "height": 32}).partition("viewBox=")[2]
    '"0 -1 32 32"><path/></svg>'
    """
    width, height = (drawing.get(side, of[side]) for side in ("width", "height"))
    side = max(width, height)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{(width - side) / 2:g} {(height - side) / 2:g} {side:g} {side:g}">{drawing["body"]}</svg>'
    )


def same(code: str) -> str:
    """Code points as both write them.

    >>> same("2764-FE0F")
    '2764'
    """
    return "-".join(point for point in code.lower().split("-") if point != VARIATION)
