"""Drawings and names are joined by code point, and what has no place is counted."""

from fm.data.icons_catalogue import Emoji, emoji_of, icons_of
from fm.data.splits import LeftOut
from tests.fm.data.emoji import NAMES_CONTENT, drawings, icon_set
from tests.fm.data.packages import archive


def body(fill: str) -> str:
    return f'<path fill="{fill}"/>'


def test_an_emoji_comes_before_its_skin_tones() -> None:
    emoji = emoji_of(NAMES_CONTENT)
    assert list(emoji)[-6:] == [f"1f467{tone}" for tone in ("", "-1f3fb", "-1f3fc", "-1f3fd", "-1f3fe", "-1f3ff")]
    tags = ("tag", "other tag", "third tag")
    assert emoji["1f467-1f3fe"] == Emoji("1f467-1f3fe", "1f467", "hand 39", tags, "people-body", ("medium-dark",))
    assert emoji["1f600"] == Emoji("1f600", "1f600", "face 0", tags, "smileys-emotion", ())
    assert emoji["1f1e6"] == Emoji("1f1e6", "1f1e6", "regional indicator A", (), "symbols", ())


def test_two_people_have_two_skin_tones() -> None:
    couple = {
        "hexcode": "1F9D1-200D-1F91D-200D-1F9D1",
        "label": "people holding hands",
        "group": 1,
        "tags": ["couple"],
        "skins": [{"hexcode": "1F9D1-1F3FF-200D-1F91D-200D-1F9D1-1F3FB", "label": "...", "tone": [5, 1]}],
    }
    emoji = emoji_of(archive({"en/data.json": [couple], "meta/groups.json": {"groups": {"1": "people-body"}}}))
    one = emoji["1f9d1-1f3ff-200d-1f91d-200d-1f9d1-1f3fb"]
    assert (one.concept, one.tones) == ("1f9d1-200d-1f91d-200d-1f9d1", ("dark", "light"))


def test_code_points_meet_however_they_are_written() -> None:
    heart = {"hexcode": "2764-FE0F", "label": "red heart", "group": 1, "tags": ["love"]}
    emoji = emoji_of(archive({"en/data.json": [heart], "meta/groups.json": {"groups": {"1": "symbols"}}}))
    for code in ("2764", "2764-fe0f"):
        icons = {"icons": {f"icon {code}": {"body": body("red")}}, "aliases": {}, "width": 8, "height": 8}
        (icon,), left_out = icons_of("noto", icon_set(icons), emoji)
        assert (icon.file, icon.emoji.name, left_out) == ("noto/2764", "red heart", [])


def test_what_is_no_picture_of_its_own_is_counted() -> None:
    emoji = emoji_of(NAMES_CONTENT)
    icons = {
        "icons": {
            "icon 1f601": {"body": body("red")},
            "icon 1f600": {"body": body("red")},
            "icon 1f602": {"body": body("blue")},
            "icon e50a": {"body": body("green")},
            "old": {"body": body("grey"), "hidden": True},
        },
        "aliases": {"other name": {"parent": "icon 1f602"}, "turned": {"parent": "icon 1f602", "hFlip": True}},
        "width": 8,
        "height": 8,
    }
    found, left_out = icons_of("noto", icon_set(icons), emoji)
    assert [icon.emoji.code for icon in found] == ["1f600", "1f602"]  # the first of those that are alike
    assert left_out == [
        LeftOut("noto", "icons of code points without a name", 1),
        LeftOut("noto", "hidden icons", 1),
        LeftOut("noto", "mirrored icons", 1),
        LeftOut("noto", "icons drawn as another", 1),
    ]


def test_a_drawing_that_is_no_square_lies_in_the_middle_of_one() -> None:
    icons = drawings("red")
    icons["icons"]["icon 1f600"] |= {"width": 64, "height": 32}
    found, _ = icons_of("noto", icon_set(icons), emoji_of(NAMES_CONTENT))
    by_code = {icon.emoji.code: icon.svg for icon in found}
    assert 'viewBox="0 -16 64 64"' in by_code["1f600"]
    assert 'viewBox="0 0 64 64"' in by_code["1f601"]
