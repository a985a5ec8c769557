"""What is held out is a combination of what training sees apart."""

from collections import Counter, defaultdict

import pytest

from fm.data.icons_catalogue import TONES, Emoji, Icon, emoji_of
from fm.data.icons_split import OF_STYLE, OF_TONE, STYLE, TONE, TRAINED, held_out, subject
from tests.fm.data.emoji import NAMES_CONTENT

STYLES = ["noto", "twemoji", "fluent"]
EMOJI = emoji_of(NAMES_CONTENT)
ICONS = [Icon(style, one, svg="") for one in EMOJI.values() for style in STYLES]


def icon(concept: str, style: str = "noto", tones: tuple[str, ...] = ()) -> Icon:
    return Icon(style, Emoji(concept, concept, "", (), "", tones), svg="")


def test_of_some_concepts_training_lacks_one_style() -> None:
    styles: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for one, way in zip(ICONS, held_out(ICONS, STYLES), strict=True):
        styles[one.emoji.concept, way].add(one.style)
    held = {concept: found for (concept, way), found in styles.items() if way == STYLE}
    assert held
    for concept, lacking in held.items():
        assert len(lacking) == 1
        assert styles[concept, TRAINED] == set(STYLES) - lacking
        assert (concept, TONE) not in styles
    assert set.union(*held.values()) == set(STYLES)


def test_of_some_concepts_training_lacks_one_skin_tone() -> None:
    tones: defaultdict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for one, way in zip(ICONS, held_out(ICONS, STYLES), strict=True):
        tones[one.emoji.concept, way].add(one.emoji.tones)
    held = {concept: found for (concept, way), found in tones.items() if way == TONE}
    assert held
    for concept, lacking in held.items():
        assert len(lacking) == 1
        assert tones[concept, TRAINED] == {(), *((tone,) for tone in TONES)} - lacking


def test_it_is_held_out_in_every_style() -> None:
    ways = held_out(ICONS, STYLES)
    drawn = Counter(one.emoji.code for one, way in zip(ICONS, ways, strict=True) if way == TONE)
    assert set(drawn.values()) == {len(STYLES)}


def test_how_many_are_held_out() -> None:
    many = [icon(f"{number:x}", style) for number in range(5000) for style in STYLES]
    counted = Counter(held_out(many, STYLES))
    assert counted[STYLE] == pytest.approx(5000 * OF_STYLE[False], rel=0.1)
    assert counted[TONE] == 0
    toned = [icon(f"{number:x}", "noto", (tone,)) for number in range(5000) for tone in TONES]
    assert Counter(held_out(toned, STYLES))[TONE] == pytest.approx(5000 * OF_TONE, rel=0.1)


def test_what_a_set_lacks_is_held_out_in_no_style() -> None:
    two = [one for one in ICONS if one.style != "fluent"]
    assert STYLE not in held_out(two, STYLES)
    assert TONE in held_out(two, STYLES)


def test_it_does_not_depend_on_what_else_there_is() -> None:
    ways = dict(zip((one.file for one in ICONS), held_out(ICONS, STYLES), strict=True))
    some = [one for one in ICONS if one.emoji.concept > "1f460"]
    assert held_out(some[::-1], STYLES) == [ways[one.file] for one in some[::-1]]


@pytest.mark.parametrize(
    "alike",
    [
        ("1f3c3", "1f3c3-200d-2640", "1f3c3-200d-2642", "1f3c3-200d-27a1", "1f3c3-200d-2640-200d-27a1"),
        ("1f9d1-200d-1f680", "1f468-200d-1f680", "1f469-200d-1f680"),
        ("1f9d1", "1f468", "1f469"),
    ],
    ids=["running", "astronaut", "adult"],
)
def test_who_is_drawn_alike_is_held_out_together(alike: tuple[str, ...]) -> None:
    assert len({subject(icon(concept)) for concept in alike}) == 1


@pytest.mark.parametrize("concept", ["2640", "2642", "27a1", "1f600", "1f1eb-1f1f7"])
def test_a_sign_alone_is_a_concept(concept: str) -> None:
    assert subject(icon(concept)) == concept
