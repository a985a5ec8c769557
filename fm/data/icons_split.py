"""Which icons are held out: combinations of what training sees apart, so that following the words shows.

    style        of some concepts that all sets draw, all pictures in one style
    skin tone    of some concepts with skin tones, all pictures with one tone, in every style

Training sees the concept in the other styles or tones, and the style or tone on other concepts: who has remembered
pictures has not seen these, and who follows the words can make them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence

from fm.data.icons_catalogue import TONES, Icon

TRAINED, STYLE, TONE = "", "style", "skin tone"
"""How a picture is held out; not at all if it is trained with."""
OF_STYLE = {False: 0.2, True: 0.08}
"""Share of the concepts that are held out in a style, without skin tones and with: these are many pictures each."""
OF_TONE = 0.2
"""Share of those with skin tones that are held out in a tone."""
PERSON = "1f9d1"
ADULTS = {"1f468": PERSON, "1f469": PERSON}  # man, woman
SIGNS = ("2640", "2642", "27a1")  # female, male, facing right


def held_out(icons: Sequence[Icon], styles: Sequence[str]) -> list[str]:
    """How each is held out, a function of its code points, its style, and which styles draw its concept."""
    drawn_by: defaultdict[str, set[str]] = defaultdict(set)
    with_tones = set()
    for icon in icons:
        drawn_by[subject(icon)].add(icon.style)
        if icon.emoji.tones:
            with_tones.add(subject(icon))
    return [way(icon, styles, drawn_by[subject(icon)], subject(icon) in with_tones) for icon in icons]


def way(icon: Icon, styles: Sequence[str], drawn_by: Collection[str], has_tones: bool) -> str:
    number = int.from_bytes(hashlib.sha256(f"icons {subject(icon)}".encode()).digest()[:8], "big")
    place = number / 2**64
    if place < OF_STYLE[has_tones]:
        return STYLE if len(drawn_by) == len(styles) and icon.style == styles[number % len(styles)] else TRAINED
    if has_tones and place < OF_STYLE[has_tones] + OF_TONE:
        return TONE if TONES[number % len(TONES)] in icon.emoji.tones else TRAINED
    return TRAINED


def subject(icon: Icon) -> str:
    """The concept, which a man, a woman and a person doing the same share, whichever way they face: they look alike.

    >>> from fm.data.icons_catalogue import Emoji
    >>> code = "1f469-200d-1f680"
    >>> subject(Icon("noto", Emoji(code, code, "woman astronaut", ("rocket",), "people-body", ()), svg=""))
    '1f9d1-1f680'
    """
    points = icon.emoji.concept.split("-200d-")
    return "-".join(ADULTS.get(point, point) for point in points if point not in SIGNS) or icon.emoji.concept
