"""Icons from archives laid out like the published ones, which the tests make; and from those where they are there."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fm.data import icons
from fm.data.dataset import Request
from fm.data.fetching import DatasetUnavailable
from fm.data.icons_captions import STYLES, captions
from fm.data.icons_catalogue import emoji_of, icons_of
from fm.data.icons_drawing import draw
from fm.data.icons_split import STYLE, TONE, held_out
from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from pipelines.project import cache_dir
from tests.fm.data import emoji

COLOURS = {"noto": [255, 0, 0], "twemoji": [0, 255, 0], "fluent": [0, 0, 255]}


def asked(cache: Path, size: int = 32, channels: int = 3) -> Request:
    return Request(cache, Path("README.md"), size=size, channels=channels, test_fraction=0.2, skip_bad=False)


def filled(cache: Path) -> Path:
    downloads = cache / "downloads" / "icons"
    downloads.mkdir(parents=True)
    for name, content in emoji.archives().items():
        (downloads / name).write_bytes(content)
    return cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("icons"))


@pytest.fixture(scope="module")
def splits(cache: Path) -> Splits:
    return icons.load(asked(cache), emoji.NAMES, emoji.SETS)


def test_every_icon_is_in_one_split_with_what_is_known_of_it(splits: Splits) -> None:
    files = splits.train_files + splits.test_files
    assert sorted(files) == sorted(f"{style}/{code}" for style in STYLES for code in emoji.codes())
    assert splits.train_images.shape == (len(splits.train_files), 32, 32, 3)
    assert splits.test_images.shape == (len(splits.test_files), 32, 32, 3)
    assert splits.label_names == ("noto", "twemoji", "fluent")
    for split in ("train", "test"):
        named = getattr(splits, f"{split}_files")
        known = getattr(splits, f"{split}_about")
        assert [splits.label_names[label] for label in getattr(splits, f"{split}_labels")] == [
            file.split("/")[0] for file in named
        ]
        assert list(known["concept"]) == [file.split("/")[1].split("-")[0] for file in named]
        assert {len(words) for words in known.values()} == {len(named)}
    assert set(splits.train_about["held_out"]) == {""}
    assert set(splits.test_about["held_out"]) == {STYLE, TONE}
    assert set(splits.train_about["tone"]) == {"", "light", "medium-light", "medium", "medium-dark", "dark"}
    assert set(splits.train_about["group"]) == {"smileys-emotion", "people-body", "symbols"}


def test_the_picture_is_the_one_that_the_texts_are_about(splits: Splits) -> None:
    codes = emoji.codes()
    for row, file in enumerate(splits.test_files):
        style, code = file.split("/")
        bar = 32 * (codes.index(code) + 1) / len(codes)
        assert np.all(splits.test_images[row, : int(bar)] == COLOURS[style])
        assert np.all(splits.test_images[row, int(np.ceil(bar)) :] == 255)
        assert f"{STYLES[style][0]} style" in splits.test_texts[row][0]


def test_in_grey_of_another_size(cache: Path) -> None:
    grey = icons.load(asked(cache, size=48, channels=1), emoji.NAMES, emoji.SETS)
    assert grey.train_images.shape[1:] == (48, 48, 1)
    last = grey.train_files.index(f"noto/{emoji.codes()[-1]}")
    assert np.all(grey.train_images[last] == round(0.299 * 255))


def test_what_is_known_of_each_lies_beside_it(splits: Splits, tmp_path: Path) -> None:
    write(tmp_path, splits, "icons")
    prepared = Prepared.open(tmp_path)
    assert prepared.label_names == ("noto", "twemoji", "fluent")
    for field in ("concept", "group", "tone", "held_out"):
        assert prepared.train.column(field).tolist() == list(splits.train_about[field])
        assert prepared.test.column(field).tolist() == list(splits.test_about[field])


def test_without_archives_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatasetUnavailable) as failure:
        icons.load(asked(tmp_path / "cache"))
    message = str(failure.value)
    assert message.startswith("icons is not to be had. Tried:")
    assert "npm registry (http://127.0.0.1:1/): emojibase-data-17.0.0.tgz: " in message
    assert "npm pack emojibase-data@17.0.0 @iconify-json/noto@1.2.9 @iconify-json/twemoji@1.2.5" in message
    assert str(tmp_path / "cache" / "downloads" / "icons") in message


@pytest.fixture(scope="module")
def published() -> dict[str, bytes]:
    """The real archives, by their names."""
    downloads = cache_dir() / "downloads" / "icons"
    packages = [icons.NAMES, *icons.SETS.values()]
    if not all((downloads / package.file).exists() for package in packages):
        pytest.skip("the local cache lacks the archives of the icons")
    contents = {package.file: (downloads / package.file).read_bytes() for package in packages}
    for package in packages:
        assert hashlib.sha256(contents[package.file]).hexdigest() == package.sha256
    return contents


def test_the_published_icons(published: dict[str, bytes]) -> None:
    names = emoji_of(published[icons.NAMES.file])
    each = {style: icons_of(style, published[one.file], names) for style, one in icons.SETS.items()}
    found = [icon for some, _ in each.values() for icon in some]
    assert {style: len(some) for style, (some, _) in each.items()} == {"noto": 3686, "twemoji": 3936, "fluent": 3138}
    assert sum(bool(icon.emoji.tones) for icon in found) == 5589
    assert len({icon.emoji.code for icon in found}) == 3958
    assert len({icon.emoji.concept for icon in found}) == 1928
    left_out = {style: [(one.kind, one.files) for one in some] for style, (_, some) in each.items()}
    assert left_out["noto"] == [
        ("icons of code points without a name", 21),
        ("hidden icons", 90),
        ("icons drawn as another", 22),
    ]
    assert left_out["fluent"] == [("hidden icons", 35), ("mirrored icons", 6), ("icons drawn as another", 1)]
    ways = Counter(held_out(found, list(STYLES)))
    assert ways == {"": 10068, STYLE: 468, TONE: 224}
    written = [captions(icon) for icon in found]
    assert len({each[0] for each in written}) == len(found)  # each picture has a plain caption of its own
    assert max(len(caption) for each in written for caption in each) < 200
    for icon in found[:: len(found) // 20]:
        assert draw(icon.svg, size=32, channels=3).std() > 10
