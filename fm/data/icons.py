"""Icons: 10,760 captioned pictures of 3,958 emoji in three styles, of any size from 32 to 512 pixels.

Drawings and names come from npm packages of these versions, of which nothing is run.

Source: https://github.com/googlefonts/noto-emoji (Apache 2.0), https://github.com/jdecked/twemoji (CC BY 4.0),
https://github.com/microsoft/fluentui-emoji (MIT), as https://github.com/iconify/icon-sets has them;
https://github.com/milesj/emojibase (MIT)
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fm.data import npm
from fm.data.dataset import Dataset, Request
from fm.data.fetching import collect
from fm.data.icons_captions import STYLES, captions
from fm.data.icons_catalogue import Icon, emoji_of, icons_of
from fm.data.icons_drawing import drawn
from fm.data.icons_split import TRAINED, held_out
from fm.data.npm import Package
from fm.data.splits import Splits

NAMES = Package("emojibase-data", "17.0.0", "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a")
SETS = {
    "noto": Package("@iconify-json/noto", "1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad"),
    "twemoji": Package(
        "@iconify-json/twemoji", "1.2.5", "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7"
    ),
    "fluent": Package(
        "@iconify-json/fluent-emoji-flat", "1.2.6", "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175"
    ),
}


class Icons(
    Dataset,
    name="icons",
    says="10,760 captioned pictures of emoji in three styles, whose test split holds out combinations",
    source="Noto Emoji, Twemoji and Fluent Emoji, by Iconify",
):
    """`load` of this module.

    >>> Dataset.of("icons")
    Icons()
    """

    def load(self, asked: Request) -> Splits:
        return load(asked)


def load(asked: Request, names: Package = NAMES, sets: Mapping[str, Package] = SETS) -> Splits:
    """Pictures on white of the asked size and channels, uint8 (N, size, size, channels), mapped from the disk.

    The label is the style. Beside it lie, as texts for each picture: the `concept` (code points without skin tone), the
    `group` of its kind, the `tone` of skin or several, and how it is `held_out` (fm.data.icons_split), empty in the
    training split.

    Takes the archives from `<cache>/downloads/icons`, then from the npm registry, the public one or that of npm's own
    setting. They are checked, and read in memory.

    Raises:
        DatasetUnavailable: some archive is not to be had.
        OSError: the cache has no room.
    """
    downloads = asked.cache / "downloads" / "icons"
    packages = [names, *sets.values()]
    advice = (
        f"You can connect this machine to the network, or name another registry with {npm.SETTINGS[0]}, or run "
        f"`npm pack {' '.join(package.spec for package in packages)}` elsewhere and copy what it makes into "
        f"{downloads}; then run this again."
    )
    sums = {package.file: package.sha256 for package in packages}
    collected = collect("icons", sums, bytes, downloads, npm.origins(packages), advice)
    emoji = emoji_of(collected.contents[names.file])
    each = [icons_of(style, collected.contents[one.file], emoji) for style, one in sets.items()]
    icons = in_order([icon for icons, _ in each for icon in icons], emoji)
    ways = held_out(icons, list(STYLES))
    train = [icon for icon, way in zip(icons, ways, strict=True) if way == TRAINED]
    test = [icon for icon, way in zip(icons, ways, strict=True) if way != TRAINED]
    numbers = {style: number for number, style in enumerate(STYLES)}
    (train_images, test_images) = (
        drawn([icon.svg for icon in some], asked.size, asked.channels, asked.cache) for some in (train, test)
    )
    return Splits(
        train_images=train_images,
        train_labels=np.array([numbers[icon.style] for icon in train], dtype=np.int64),
        test_images=test_images,
        test_labels=np.array([numbers[icon.style] for icon in test], dtype=np.int64),
        label_names=tuple(STYLES),
        origin=collected.origin,
        train_files=tuple(icon.file for icon in train),
        test_files=tuple(icon.file for icon in test),
        train_texts=tuple(captions(icon) for icon in train),
        test_texts=tuple(captions(icon) for icon in test),
        train_about=about(train, [TRAINED] * len(train)),
        test_about=about(test, [way for way in ways if way != TRAINED]),
        left_out=tuple(one for _, left_out in each for one in left_out),
    )


def in_order(icons: Sequence[Icon], emoji: Iterable[str]) -> list[Icon]:
    """Concept by concept, in each style."""
    places = {code: place for place, code in enumerate(emoji)}
    return sorted(icons, key=lambda icon: places[icon.emoji.code])


def about(icons: Sequence[Icon], ways: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {
        "concept": tuple(icon.emoji.concept for icon in icons),
        "group": tuple(icon.emoji.group for icon in icons),
        "tone": tuple(", ".join(icon.emoji.tones) for icon in icons),
        "held_out": tuple(ways),
    }
