"""What is written about an icon: several captions, each with its name, style and skin tone, in varied wording."""

import hashlib

from fm.data.icons_catalogue import Emoji, Icon

STYLES = {
    "noto": ("Noto", "Google Noto"),
    "twemoji": ("Twemoji", "Twitter Twemoji"),
    "fluent": ("Fluent", "Microsoft Fluent"),
}
"""The styles in the order of their labels, and what they are called."""
PLAIN = "{subject}, {style} style"
WORDINGS = (
    "{style} emoji of {subject}",
    "{subject}, drawn in the style of {style}",
    "{style} icon: {subject}",
    "{subject} as a {style} emoji",
    "{group}: {subject}, {style} style",
    "{style} emoji from {group}, {subject}",
    "{tags}: {subject}, {style} style",
    "{subject} ({tags}), {style}",
    "a {style} icon for {tags}: {subject}",
)
FURTHER = 4  # captions beside the plain one
TAGS = 2


def captions(icon: Icon) -> tuple[str, ...]:
    """The plain one first; the others are a function of the icon's file alone.

    >>> hand = Emoji("1f44b-1f3ff", "1f44b", "waving hand", ("hello", "wave"), "people-body", ("dark",))
    >>> captions(Icon("noto", hand, svg=""))[0]
    'waving hand, dark skin tone, Noto style'
    """
    emoji, called = icon.emoji, STYLES[icon.style]
    able = [wording for wording in WORDINGS if emoji.tags or "{tags}" not in wording]
    further = []
    for wording in by_chance(able, icon.file)[:FURTHER]:
        how = f"{icon.file} {wording}"
        subject = by_chance([with_tone(emoji), with_skin(emoji)], how)[0]
        further.append(
            wording.format(
                subject=subject,
                style=by_chance(called, how)[0],
                tags=", ".join(by_chance(emoji.tags, how)[:TAGS]),
                group=emoji.group.replace("-", " and "),
            )
        )
    return PLAIN.format(subject=with_tone(emoji), style=called[0]), *further


def with_tone(emoji: Emoji) -> str:
    """As Unicode has it.

    >>> with_tone(Emoji("1f9d4-1f3fb", "1f9d4", "person: beard", (), "people-body", ("light",)))
    'person, light skin tone, beard'
    """
    first, rest = parted(emoji.name)
    return ", ".join([first, *(f"{tone} skin tone" for tone in emoji.tones), *rest])


def with_skin(emoji: Emoji) -> str:
    """The same, nearer to what people say.

    >>> with_skin(Emoji("1f9d4-1f3fb", "1f9d4", "person: beard", (), "people-body", ("light",)))
    'person with light skin, beard'
    """
    first, rest = parted(emoji.name)
    return ", ".join([f"{first} with {' and '.join(emoji.tones)} skin" if emoji.tones else first, *rest])


def parted(name: str) -> tuple[str, list[str]]:
    """What is there, and what is said of it after a colon.

    >>> parted("flag: France"), parted("person running: facing right")
    (('flag of France', []), ('person running', ['facing right']))
    """
    first, _, rest = name.partition(": ")
    if first in ("flag", "keycap"):
        return f"{first} of {rest}" if first == "flag" else f"{first} {rest}", []
    return first, [rest] if rest else []


def by_chance(words: tuple[str, ...] | list[str], seed: str) -> list[str]:
    """In an order that is a function of words and seed, whatever the version of Python."""
    return sorted(words, key=lambda word: hashlib.sha256(f"{seed} {word}".encode()).digest())
