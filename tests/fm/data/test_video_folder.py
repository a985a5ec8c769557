"""A folder of videos as people have it becomes clips in two splits, or a message that says what to do."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fm.codecs import Pixels
from fm.conditions import Labels, Unconditional
from fm.data.coded import CodedSplits
from fm.data.film_reading import Times
from fm.data.folder_contents import FolderError
from fm.data.prepared import Prepared
from fm.data.sources import Dataset, Request, VideoFolder
from fm.data.splits import LeftOut
from fm.data.writing import write
from fm.errors import UserError
from tests.fm.data.films import frames, numbers, save_film


def asked(folder: Path, skip_bad: bool = False) -> Request:
    return Request(Path(), folder, size=0, channels=0, test_fraction=0.3, skip_bad=skip_bad)


def load(folder: Path, skip_bad: bool = False, **options: object) -> CodedSplits:
    return VideoFolder(**{"frames": 4, "side": 8, **options}).load(asked(folder, skip_bad))


def both(splits: CodedSplits, name: str = "data") -> np.ndarray:
    return np.concatenate([splits.train.column(name), splits.test.column(name)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, suffix in enumerate(("gif", "webp", "png") * 4):
        label = ("dog", "cat")[number % 2]
        save_film(tmp_path / "clips" / label / f"{number}.{suffix}", 5, shade=20 * number)
    return tmp_path / "clips"


def test_a_folder_of_every_kind_that_pillow_reads(folder: Path, tmp_path: Path) -> None:
    splits = load(folder)
    assert len(splits.train) + len(splits.test) == 12
    assert len(splits.test) > 0
    assert splits.train.stored == (4, 8, 8, 3)
    assert numbers(both(splits)) == [[0, 1, 2, 3]] * 12
    assert splits.conditioner == Labels(("cat", "dog"))
    for rows, files in ((splits.train, splits.train_files), (splits.test, splits.test_files)):
        assert [Labels(("cat", "dog")).names[one] for one in rows.column("label")] == [
            file.split("/")[0] for file in files
        ]
        assert tuple(rows.column("file")) == files
    assert splits.codec == Pixels((4, 8, 8, 3), spacing=(0.1, 1, 1), spacing_units=("s", "pixel", "pixel"))
    write(tmp_path / "prepared", splits, "clips")
    prepared = Prepared.open(tmp_path / "prepared")
    assert prepared.codec.choice == splits.codec.changed(scale=prepared.codec.scale).choice
    np.testing.assert_array_equal(prepared.train.column("seconds"), splits.train.column("seconds"))


def test_what_tests_stays_when_others_come(folder: Path) -> None:
    before = set(load(folder).test_files)
    save_film(folder / "dog" / "new.gif", 6)
    assert before <= set(load(folder).test_files)


def test_folders_train_and_test_are_the_splits(tmp_path: Path) -> None:
    for name in ("train/dog/a", "train/cat/b", "test/dog/c"):
        save_film(tmp_path / f"{name}.gif", 4, shade=len(name))
    splits = load(tmp_path)
    assert splits.train_files == ("train/cat/b.gif", "train/dog/a.gif")
    assert splits.test_files == ("test/dog/c.gif",)
    assert splits.train.column("label").tolist() == [0, 1]


def test_one_of_them_alone_is_a_label_and_doubted(folder: Path) -> None:
    save_film(folder / "train" / "a.gif", 4)
    splits = load(folder)
    assert splits.conditioner == Labels(("cat", "dog", "train"))
    assert "cat, dog, train are taken for labels: for splits there must be train/ and test/" in splits.warnings[0]


def test_captions_lie_beside(folder: Path) -> None:
    (folder / "dog" / "0.txt").write_text("a dog\nit barks\n")
    splits = load(folder)
    texts = {}
    for rows, files in ((splits.train, splits.train_files), (splits.test, splits.test_files)):
        texts |= dict(zip(files, rows.captions(np.arange(len(rows))), strict=True))
    assert texts["dog/0.gif"] == "a dog\nit barks"
    assert set(texts.values()) == {"", "a dog\nit barks"}
    assert [fault.number for fault in splits.caption_faults] == [11]


def times(durations: list[float]) -> Times:
    ends = np.cumsum(durations)
    return Times(np.concatenate([[0.0], ends[:-1]]), float(ends[-1]))


@pytest.mark.parametrize(
    ("options", "durations", "wanted"),
    [
        ({}, [0.1] * 9, [[0, 1, 2, 3]]),
        ({"every": 2}, [0.1] * 9, [[0, 2, 4, 6]]),
        ({"every": 3}, [0.1] * 9, []),
        ({"clips": 2}, [0.1] * 9, [[0, 1, 2, 3], [5, 6, 7, 8]]),
        ({"clips": 3}, [0.1] * 9, [[0, 1, 2, 3], [5, 6, 7, 8]]),
        ({"clips": None}, [0.1] * 13, [[0, 1, 2, 3], [4, 5, 6, 7], [9, 10, 11, 12]]),
        ({"clips": 3}, [0.1] * 30, [[0, 1, 2, 3], [13, 14, 15, 16], [26, 27, 28, 29]]),
        # By time each frame is there as long as it is shown.
        ({"fps": 10}, [0.1, 0.2, 0.1], [[0, 1, 1, 2]]),
        ({"fps": 20}, [0.1, 0.1], [[0, 0, 1, 1]]),
        ({"fps": 5}, [0.1] * 8, [[0, 2, 4, 6]]),
        ({"fps": 5}, [0.1] * 7, []),
        ({"fps": 24, "clips": None}, [1 / 24] * 8, [[0, 1, 2, 3], [4, 5, 6, 7]]),
    ],
)
def test_which_frames_clips_are_made_of(options: dict, durations: list[float], wanted: list) -> None:
    assert VideoFolder(frames=4, **options).clips_of(times(durations)).tolist() == wanted


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_a_frame_is_shown_as_long_as_its_file_says(tmp_path: Path, suffix: str) -> None:
    for split in ("train", "test"):
        save_film(tmp_path / split / f"a.{suffix}", 3, duration=[100, 200, 100], shade=len(split))
    splits = load(tmp_path, fps=10)
    assert numbers(splits.train.data) == [[0, 1, 1, 2]]
    assert splits.codec.spacing[0] == 0.1
    assert load(tmp_path, frames=2).train.column("seconds")[0] == pytest.approx(0.1)


def test_a_gif_that_says_no_time_is_shown_as_browsers_do(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save_film(tmp_path / split / "a.gif", 4, duration=0)
    assert load(tmp_path).codec.spacing[0] == 0.1


def test_clips_of_a_video_are_in_one_split(tmp_path: Path) -> None:
    for number in range(12):
        save_film(tmp_path / f"{number}.gif", 8, shade=20 * number)
    splits = load(tmp_path, clips=None)
    assert splits.conditioner == Unconditional()
    assert len(splits.train) + len(splits.test) == 24
    assert not set(splits.train_files) & set(splits.test_files)
    assert both(splits, "begins").tolist() == pytest.approx([0, 0.4] * 12)


def test_those_that_are_too_short_are_counted_and_named(folder: Path) -> None:
    save_film(folder / "dog" / "short.gif", 3)
    frames(1)[0].save(folder / "dog" / "still.png")
    splits = load(folder)
    assert LeftOut("dog", "too short for 4 frames", 2) in splits.left_out
    assert splits.warnings == (
        "2 videos are left out, too short for 4 frames: dog/short.gif (3 in 0.30 s), dog/still.png (1 in 0.10 s)",
    )
    with pytest.raises(FolderError, match=r"none of its videos can be used: .*: too short for 50 frames \(5 in 0.50 s"):
        load(folder, frames=50)


def test_damaged_files_stop_it_or_are_skipped(folder: Path) -> None:
    whole = (folder / "dog" / "0.gif").read_bytes()
    (folder / "dog" / "cut.gif").write_bytes(whole[: len(whole) // 2])
    (folder / "cat" / "text.webp").write_text("no film")
    with pytest.raises(FolderError) as failure:
        load(folder)
    first, *files, advice = str(failure.value).splitlines()
    assert first == f"{folder}: 2 of 14 videos cannot be used:"
    assert files[0] == "  cat/text.webp: no animated picture that Pillow can read"
    assert files[1].startswith("  dog/cut.gif: ")
    assert "on_bad_image: skip" in advice
    splits = load(folder, skip_bad=True)
    assert [one.file for one in splits.skipped] == ["cat/text.webp", "dog/cut.gif"]
    assert len(both(splits)) == 12


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], r"there are no videos in it \(.*\.gif.*\), but 1 \.doc"),
        (["a.gif", "dog/b.gif"], r"videos both beside sub-folders \(a.gif\) and in them \(dog/\)"),
        (["a.gif"], r"all that is in it is to train with, and both splits must have something"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, files: list[str], message: str) -> None:
    (tmp_path / "notes.doc").write_text("of films")
    for file in files:
        save_film(tmp_path / file, 4)
    with pytest.raises(FolderError, match=message):
        load(tmp_path)


def test_a_label_that_nothing_is_left_of(folder: Path) -> None:
    save_film(folder / "bird" / "a.gif", 2)
    with pytest.raises(FolderError, match=r"no videos are left of bird: bird/a.gif: too short for 4 frames \(2 in"):
        load(folder)


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="every = 2: must be 1 where fps says when frames are taken"):
        Dataset.of({"name": "video-folder", "every": 2, "fps": 10})


def test_without_pyav_its_films_are_refused_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dog" / "a.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"\.mp4.* are read by PyAV, which is not installed: pip install av"):
        load(folder)


@pytest.fixture(params=["mp4", "webm"])
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Twenty frames at 10 a second."""
    av = pytest.importorskip("av")
    path = tmp_path / "films" / f"a.{request.param}"
    path.parent.mkdir()
    with av.open(str(path), "w") as container:
        stream = container.add_stream({"mp4": "libx264", "webm": "libvpx-vp9"}[request.param], rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for image in frames(20, size=(64, 48)):
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return path


def test_a_film_is_read_by_pyav(film: Path) -> None:
    av = pytest.importorskip("av")
    assert av
    read = VideoFolder(frames=4, side=16, clips=2).read
    taken = read_one(film, read)
    assert numbers(taken.data) == [[0, 1, 2, 3], [16, 17, 18, 19]]
    assert taken.about["begins"].tolist() == pytest.approx([0, 1.6])
    assert taken.about["seconds"].tolist() == pytest.approx([0.1, 0.1])
    by_time = read_one(film, VideoFolder(frames=4, side=16, fps=5, channels=1).read)
    assert by_time.data.shape == (1, 4, 16, 16, 1)
    assert numbers(by_time.data) == [[0, 2, 4, 6]]


def test_a_film_that_is_cut_off_is_a_bad_one(film: Path) -> None:
    from fm.data.decoding import BadImage

    content = film.read_bytes()
    film.write_bytes(content[: len(content) // 3])
    with pytest.raises(BadImage):
        read_one(film, VideoFolder(frames=20, side=16).read)


def read_one(path: Path, read: object) -> object:
    from fm.data.listing import File

    return read(File(path.name, path=path))  # type: ignore[operator]
