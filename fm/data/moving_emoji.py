"""Moving emoji: Microsoft's Fluent emoji as loops of a few frames, captioned, with what kind of thing each is.

The animations and the names come from npm packages of these versions, of which nothing is run.

Source: https://github.com/microsoft/fluentui-emoji (MIT), animated, as https://github.com/lobehub/fluent-emoji (MIT)
has them; https://github.com/milesj/emojibase (MIT)
"""

import hashlib
import io
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import PurePosixPath
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fm.components import Choice, option
from fm.data import npm
from fm.data.captions import Packed, as_lines
from fm.data.coded import CodedSplits
from fm.data.collecting import is_below
from fm.data.dataset import CodedDataset, Request
from fm.data.decoding import flat
from fm.data.fetching import collect
from fm.data.icons import NAMES
from fm.data.icons_captions import with_skin, with_tone
from fm.data.icons_catalogue import Emoji, emoji_of, same
from fm.data.npm import Package
from fm.data.resize import resize
from fm.data.rows import Arrays
from fm.data.splits import LeftOut

ANIMATIONS = tuple(
    Package(f"@lobehub/fluent-emoji-anim-{number}", "1.0.0", sha256)
    for number, sha256 in enumerate(
        [
            "4c03ac178c1eabf2e2a16dd498f3cc2b92dc30ec3466ae38fdc497d4774c99ea",
            "e431da8172e394036c330faa77648d6fbbae1fd3b0be95637c4497c9075019c0",
            "3624d0c34c819c1794b74ccf6ae9034adff7c4cb6318dd2a645145f0196feb43",
            "3d4c08f1e321f70808ef4996aba0ab575a9d97b6c56ffffc92cf6161a7836aa3",
        ],
        start=1,
    )
)
STILL, NO_NAME, TONED = "that do not move", "of code points without a name", "with skin tones"
TESTED = 0.1
"""Share of the concepts that are held out, each in all its skin tones."""
TOGETHER = 64  # animations that are read before the next are begun


class MovingEmoji(
    CodedDataset,
    name="moving-emoji",
    says="loops of animated emoji with captions, under what kind of thing each is",
    source="Fluent Emoji by Microsoft, as LobeHub has them animated",
):
    """uint8 (frames, side, side, channels) on white, under the group of Unicode's that each belongs to. Beside each lie
    its captions, `concept` (its code points without skin tone), and `seconds` from a frame to the next.

    Each is one whole loop: the frames are taken evenly from it, so after the last comes the first again.

    >>> MovingEmoji(frames=8).frames
    8
    """

    defaults: ClassVar = {
        "dataset": {"licence": "Fluent Emoji by Microsoft, MIT, as LobeHub packs it, MIT; names by Emojibase, MIT"}
    }
    frames: int = option(16, least=2, most=32, says="of a loop, which has about 72 of its own in 3 seconds")
    side: int = option(32, least=8, most=256, says="pixels of a side")
    channels: int = option(3, choices=(1, 3), says="1 grey, 3 colour")
    tones: bool = option(False, says="whether those with skin tones are there too, which look much alike")

    @property
    def measures(self) -> Choice:
        return "films"

    def load(self, asked: Request) -> CodedSplits:
        """Raises DatasetUnavailable: an archive is not to be had. OSError: the cache has no room."""
        return self.made_of(asked, NAMES, ANIMATIONS)

    def made_of(self, asked: Request, names: Package, animations: Sequence[Package]) -> CodedSplits:
        """Takes the archives from `<cache>/downloads/moving-emoji`, then from the npm registry, one after the other:
        they are 730 MB. They are checked, and read in memory."""
        emoji = emoji_of(archive_of(asked, names, animations))
        loops: dict[str, Loop] = {}
        left_out = Counter[str]()
        for package in animations:
            for code, loop in self.loops(archive_of(asked, package, [names, *animations]), emoji, left_out):
                loops.setdefault(code, loop)
        return split(loops, emoji, left_out)

    def loops(
        self, archive: bytes, emoji: Mapping[str, Emoji], left_out: "Counter[str]"
    ) -> "Iterator[tuple[str, Loop]]":
        """Those of an archive that are wanted, by their code points; the others are counted."""
        waiting = self.wanted(archive, emoji, left_out)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while together := list(islice(waiting, TOGETHER)):
                read = pool.map(lambda one: loop_of(one[1], self.frames, self.side, self.channels), together)
                for (code, _), loop in zip(together, read, strict=True):
                    if loop is None:
                        left_out[STILL] += 1
                    else:
                        yield code, loop

    def wanted(
        self, archive: bytes, emoji: Mapping[str, Emoji], left_out: "Counter[str]"
    ) -> Iterator[tuple[str, bytes]]:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.suffix != ".webp" or (file := tar.extractfile(member)) is None:
                    continue
                code = same(path.stem)
                if code not in emoji:
                    left_out[NO_NAME] += 1
                elif emoji[code].tones and not self.tones:
                    left_out[TONED] += 1
                else:
                    yield code, file.read()


class Loop(NamedTuple):
    """Frames uint8 (T, H, W, C), and the seconds from one to the next.

    >>> Loop(np.zeros((16, 8, 8, 3), np.uint8), 0.19).seconds
    0.19
    """

    frames: NDArray[np.uint8]
    seconds: float


def loop_of(content: bytes, frames: int, side: int, channels: int) -> Loop | None:
    """So many frames of an animated picture, taken evenly from its whole; none of a picture that does not move."""
    with Image.open(io.BytesIO(content), formats=("WEBP",)) as image:
        count = getattr(image, "n_frames", 1)
        if count < frames:
            return None
        small, seconds = [], 0.0
        wanted = {number * count // frames for number in range(frames)}
        for number in range(count):
            image.seek(number)
            image.load()
            seconds += image.info["duration"] / 1000
            if number in wanted:
                small.append(resize(flat(image, channels)[0][np.newaxis], side)[0])
    return Loop(np.stack(small), seconds / frames)


def archive_of(asked: Request, package: Package, others: Sequence[Package]) -> bytes:
    """Raises DatasetUnavailable."""
    downloads = asked.cache / "downloads" / "moving-emoji"
    specs = " ".join(one.spec for one in dict.fromkeys([package, *others]))
    advice = (
        f"You can connect this machine to the network, or name another registry with {npm.SETTINGS[0]}, or run "
        f"`npm pack {specs}` elsewhere and copy what it makes into {downloads}; then run this again."
    )
    sums = {package.file: package.sha256}
    return collect("moving-emoji", sums, bytes, downloads, npm.origins([package]), advice).contents[package.file]


def split(loops: Mapping[str, Loop], emoji: Mapping[str, Emoji], left_out: Mapping[str, int]) -> CodedSplits:
    """What trains and what tests, a function of each concept's code points."""
    from fm.codecs import Pixels, rounded  # whoever only asks what datasets there are needs no networks
    from fm.conditions import Labels

    codes = [code for code in emoji if code in loops]
    labels = tuple(sorted({emoji[code].group for code in codes}))
    tests = {code: is_below(digest(emoji[code].concept), TESTED) for code in codes}
    train, test = (
        rows_of([code for code in codes if tests[code] == which], loops, emoji, labels) for which in (False, True)
    )
    seconds = rounded(float(np.median(train.column("seconds"))))
    return CodedSplits(
        train,
        test,
        Pixels(train.stored, spacing=(seconds, 1.0, 1.0), spacing_units=("s", "pixel", "pixel")),
        Labels(labels),
        origin="npm packages @lobehub/fluent-emoji-anim and emojibase-data",
        train_files=tuple(code for code in codes if not tests[code]),
        test_files=tuple(code for code in codes if tests[code]),
        left_out=tuple(LeftOut("fluent", f"emoji {why}", count) for why, count in sorted(left_out.items())),
    )


def rows_of(
    codes: Sequence[str], loops: Mapping[str, Loop], emoji: Mapping[str, Emoji], labels: Sequence[str]
) -> Arrays:
    longest = max(len(one.concept) for one in emoji.values())
    return Arrays(
        {
            "data": np.stack([loops[code].frames for code in codes]),
            "label": np.array([labels.index(emoji[code].group) for code in codes], dtype=np.int64),
            "seconds": np.array([loops[code].seconds for code in codes], dtype=np.float32),
            "concept": np.array([emoji[code].concept for code in codes], dtype=f"<U{longest}"),
        },
        Packed.of(as_lines(captions(emoji[code])) for code in codes),
    )


def captions(emoji: Emoji) -> tuple[str, ...]:
    """The name, and the name with tags.

    >>> captions(Emoji("1f436", "1f436", "dog face", ("pet", "puppy"), "animals-nature", ()))
    ('dog face', 'dog face (pet, puppy)', 'animated emoji of dog face')
    """
    name = with_tone(emoji)
    tagged = f"{name} ({', '.join(emoji.tags)})" if emoji.tags else name
    return tuple(dict.fromkeys([name, tagged, f"animated emoji of {with_skin(emoji)}"]))


def digest(concept: str) -> bytes:
    return hashlib.sha256(f"moving-emoji {concept}".encode()).digest()
