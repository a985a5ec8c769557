"""A small world of emoji: archives laid out like those that the icons come from."""

from collections.abc import Mapping
from typing import Any

from tests.fm.data.packages import archive, package

TONED = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")
COLOURS = {"noto": "red", "twemoji": "lime", "fluent": "blue"}
FACES, HANDS = 60, 40
GROUPS = {"groups": {"0": "smileys-emotion", "1": "people-body"}}


def entries() -> list[dict[str, Any]]:
    """Faces, which are yellow, hands of every colour, and a letter, which is in no group and has no tags."""
    faces = [entry(0x1F600 + number, f"face {number}", 0) for number in range(FACES)]
    hands = [entry(0x1F440 + number, f"hand {number}", 1) for number in range(HANDS)]
    for hand in hands:
        hand["skins"] = [
            {"hexcode": f"{hand['hexcode']}-{code}", "label": f"{hand['label']}: a skin tone", "tone": number}
            for number, code in enumerate(TONED, start=1)
        ]
    return [{"hexcode": "1F1E6", "label": "regional indicator A"}, *faces, *hands]


def entry(code: int, label: str, group: int) -> dict[str, Any]:
    return {"hexcode": f"{code:X}", "label": label, "group": group, "tags": ["tag", "other tag", "third tag"]}


def codes() -> list[str]:
    """Of all emoji, in their order."""
    listed = []
    for one in entries():
        listed += [one["hexcode"], *(skin["hexcode"] for skin in one.get("skins", []))]
    return [code.lower() for code in listed]


def drawings(colour: str) -> dict[str, Any]:
    """A bar for each, higher from one to the next."""
    every = codes()
    bars = {
        f"icon {code}": {"body": f'<rect width="64" height="{64 * (number + 1) / len(every)}" fill="{colour}"/>'}
        for number, code in enumerate(every)
    }
    return {"icons": bars, "aliases": {}, "width": 64, "height": 64}


def icon_set(icons: Mapping[str, Any]) -> bytes:
    chars = {name.removeprefix("icon "): name for name, one in icons["icons"].items() if not one.get("hidden")}
    return archive({"icons.json": icons, "chars.json": chars})


NAMES_CONTENT = archive({"en/data.json": entries(), "meta/groups.json": GROUPS})
SET_CONTENTS = {style: icon_set(drawings(colour)) for style, colour in COLOURS.items()}
NAMES = package("test-names", NAMES_CONTENT)
SETS = {style: package(f"@test/{style}", content) for style, content in SET_CONTENTS.items()}


def archives() -> dict[str, bytes]:
    """Content of each by the name of its file."""
    return {NAMES.file: NAMES_CONTENT, **{SETS[style].file: content for style, content in SET_CONTENTS.items()}}
