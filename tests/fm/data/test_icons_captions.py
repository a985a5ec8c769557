"""Captions say name, style and skin tone, each in its own words, and are the same every time."""

from dataclasses import replace

import pytest

from fm.data.icons_captions import FURTHER, STYLES, captions
from fm.data.icons_catalogue import TONES, Emoji, Icon

HAND = Emoji("1f44b", "1f44b", "waving hand", ("hello", "wave", "bye"), "people-body", ())


def toned(tone: str, number: int) -> Emoji:
    return replace(HAND, code=f"1f44b-{0x1F3FA + number:x}", tones=(tone,))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("number", "tone"), enumerate(TONES, start=1))
def test_each_says_name_style_and_skin_tone(style: str, number: int, tone: str) -> None:
    written = captions(Icon(style, toned(tone, number), svg=""))
    assert len(set(written)) == 1 + FURTHER
    for caption in written:
        assert "waving hand" in caption
        assert f" {tone} skin" in caption
        assert any(word in caption for word in STYLES[style])
        assert not any(word in caption for other in STYLES if other != style for word in STYLES[other])
    assert written[0] == f"waving hand, {tone} skin tone, {STYLES[style][0]} style"


def test_yellow_is_not_said() -> None:
    assert not any("skin" in caption for caption in captions(Icon("noto", HAND, svg="")))


def test_wordings_and_tags_vary_from_picture_to_picture() -> None:
    faces = [replace(HAND, code=f"{number:x}", concept=f"{number:x}") for number in range(0x1F600, 0x1F640)]
    written = {caption for face in faces for caption in captions(Icon("fluent", face, svg=""))}
    assert len(written) > 30
    assert all(any(tag in caption for caption in written) for tag in HAND.tags)
    assert any("people and body" in caption for caption in written)


def test_without_tags_none_are_told() -> None:
    letter = Emoji("1f1e6", "1f1e6", "regional indicator A", (), "symbols", ())
    for style in STYLES:
        for caption in captions(Icon(style, letter, svg="")):
            assert "()" not in caption
            assert not caption.startswith(":")
            assert " :" not in caption


@pytest.mark.parametrize(
    ("name", "tones", "plain"),
    [
        ("flag: France", (), "flag of France, Noto style"),
        ("keycap: #", (), "keycap #, Noto style"),
        ("woman: red hair", ("dark",), "woman, dark skin tone, red hair, Noto style"),
        ("kiss: woman, man", ("light", "dark"), "kiss, light skin tone, dark skin tone, woman, man, Noto style"),
    ],
)
def test_names_with_a_colon(name: str, tones: tuple[str, ...], plain: str) -> None:
    assert captions(Icon("noto", replace(HAND, name=name, tones=tones), svg=""))[0] == plain


def test_they_are_a_function_of_the_picture() -> None:
    assert captions(Icon("twemoji", toned("dark", 5), svg="")) == (
        "waving hand, dark skin tone, Twemoji style",
        "Twitter Twemoji icon: waving hand, dark skin tone",
        "Twitter Twemoji emoji of waving hand, dark skin tone",
        "waving hand with dark skin as a Twitter Twemoji emoji",
        "Twemoji emoji from people and body, waving hand with dark skin",
    )
