"""Nothing in a folder is lost silently, and nothing in it keeps its reader waiting."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fm.data.folder_contents import MAX_DEPTH, FolderError, look_into, shown
from fm.data.formats import NOT_READ_SUFFIXES, READ_SUFFIXES


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cats/1.png", "cats/deeper/2.JPG", "dogs/3.jpeg"):
        put(tmp_path / "images" / name)
    return tmp_path / "images"


def names(folder: Path) -> list[str]:
    return [name for name, _ in look_into(folder).images]


def test_images_are_found_by_name(folder: Path) -> None:
    contents = look_into(folder)
    assert contents.images == [(name, folder / name) for name in ("cats/1.png", "cats/deeper/2.JPG", "dogs/3.jpeg")]
    assert contents.folders == {"cats", "dogs"}
    assert not contents.left_out
    assert not contents.elsewhere


def test_what_is_no_image_is_counted_by_kind_and_place(folder: Path) -> None:
    for name in ("embeddings.h5", "licence.pdf", "cats/a.eps", "cats/deeper/b.EPS", "cats/preview.mpg", "dogs/README"):
        put(folder / name)
    put(folder / "dogs" / ".DS_Store")
    put(folder / "dogs" / "._3.jpeg")
    assert names(folder) == ["cats/1.png", "cats/deeper/2.JPG", "dogs/3.jpeg"]
    assert look_into(folder).left_out == {
        (".", ".h5"): 1,
        (".", ".pdf"): 1,
        ("cats", ".eps"): 2,
        ("cats", ".mpg"): 1,
        ("dogs", "without suffix"): 1,
        ("dogs", "hidden"): 2,
    }


@pytest.mark.parametrize("tool", ["__MACOSX", ".ipynb_checkpoints", "@eaDir", ".git", ".thumbnails", "$RECYCLE.BIN"])
def test_folders_that_tools_leave_are_no_labels(folder: Path, tool: str) -> None:
    put(folder / tool / "cats" / "1.png")
    put(folder / "cats" / tool / "1.png")
    contents = look_into(folder)
    assert names(folder) == ["cats/1.png", "cats/deeper/2.JPG", "dogs/3.jpeg"]
    assert contents.folders == {"cats", "dogs"}
    assert contents.left_out == {(".", f"in {tool}/"): 1, ("cats", f"in {tool}/"): 1}


def test_formats_that_are_not_read_are_images_all_the_same(folder: Path) -> None:
    for suffix in (".heic", ".dng", ".jxl", ".svg", ".psd", ".raw", ".CR2"):
        put(folder / "cats" / f"x{suffix}")
    assert len(names(folder)) == 10
    assert not look_into(folder).left_out
    assert not READ_SUFFIXES & NOT_READ_SUFFIXES


def test_links_are_followed_and_those_that_leave_the_folder_are_counted(folder: Path, tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / "store" / "birds" / f"{number}.png")
    put(tmp_path / "store" / "birds" / "more" / "3.png")
    put(tmp_path / "other" / "x.png")
    (folder / "birds").symlink_to(tmp_path / "store" / "birds")
    (folder / "pets").symlink_to("cats")
    (folder / "dogs" / "4.png").symlink_to(tmp_path / "other" / "x.png")
    (folder / "dogs" / "5.png").symlink_to(tmp_path / "store" / "birds" / "0.png")
    (folder / "dogs" / "6.png").symlink_to("../cats/1.png")
    assert names(folder) == [
        *("birds/0.png", "birds/1.png", "birds/2.png", "birds/more/3.png"),
        *("cats/1.png", "cats/deeper/2.JPG"),
        *("dogs/3.jpeg", "dogs/4.png", "dogs/5.png", "dogs/6.png"),
        *("pets/1.png", "pets/deeper/2.JPG"),
    ]
    assert look_into(folder).elsewhere == {
        ("birds", True): (4, str(tmp_path / "store" / "birds")),
        ("dogs", False): (2, str(tmp_path)),
    }


def test_a_link_to_the_folder_itself_is_no_way_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert names(tmp_path / "link") == names(folder)
    assert not look_into(tmp_path / "link").elsewhere


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_loop_is_refused(folder: Path, target: str) -> None:
    (folder / "cats" / "again").symlink_to(target)
    with pytest.raises(FolderError, match=r"images: cats/again\S* is a loop: .*; remove it$"):
        look_into(folder)


def test_names_that_differ_only_in_how_they_are_composed_are_all_there(folder: Path) -> None:
    put(folder / "cats" / "e\u0301.png")
    put(folder / "cats" / "\u00e9.png")
    assert names(folder).count("cats/\u00e9.png") == 2


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # a socket's path has 107 bytes at most


@pytest.mark.parametrize("name", ["cats/x.png", "cats/notes", "dogs/.hidden", "__MACOSX/x.png"])
@pytest.mark.parametrize(
    ("make", "what"),
    [(pipe, "a named pipe"), (device, "a device"), (listener, "a socket")],
    ids=["pipe", "device", "socket"],
)
def test_nobody_waits_for_what_is_no_file(
    folder: Path, name: str, make: Callable[[Path], None], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "__MACOSX").mkdir()
    monkeypatch.chdir(folder)
    make(folder / name)
    with pytest.raises(FolderError, match=f"images: {name} is {what}; remove it$"):
        look_into(folder)


@pytest.mark.parametrize(
    ("target", "why"), [("nowhere", "No such file or directory"), ("link.png", "Too many levels of symbolic links")]
)
def test_a_link_to_nowhere_is_refused(folder: Path, target: str, why: str) -> None:
    (folder / "cats" / "link.png").symlink_to(target)
    with pytest.raises(FolderError, match=rf"images: cats/link\.png is a link to nowhere \({why}\); remove it$"):
        look_into(folder)


@pytest.mark.parametrize("name", [b"caf\xe9/1.png", b"cats/\xe9t\xe9.png", b"cats/caf\xe9.txt", b"__MACOSX/\xe9"])
def test_a_name_that_is_not_utf8_is_refused_in_one_line(folder: Path, name: bytes) -> None:
    put(folder / os.fsdecode(name))
    with pytest.raises(FolderError, match=r"the name \S*\\xe9\S* is not UTF-8; rename it .*convmv") as failure:
        look_into(folder)
    assert str(failure.value).encode().count(b"\n") == 0


def test_folders_without_end_are_refused(folder: Path) -> None:
    deepest = folder / "/".join(["cats", *["a"] * (MAX_DEPTH + 1)])
    deepest.mkdir(parents=True)
    with pytest.raises(FolderError, match=f"more than {MAX_DEPTH} folders deep"):
        look_into(folder)
    deepest.rmdir()
    put(deepest.parent.with_name("1.png"))
    assert names(folder)[1].endswith("/a/1.png")


def test_a_folder_that_cannot_be_read_is_not_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "cats")
    for _ in range(17):  # no path has more than 4,096 bytes
        os.mkdir("a" * 250)  # noqa: PTH102
        os.chdir("a" * 250)
    with pytest.raises(FolderError, match=r"images/cats/a+.*: cannot be read: File name too long$"):
        look_into(folder)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"nowhere: there is no such folder; dataset\.path must be"):
        look_into(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("кошка 猫.png", "кошка 猫.png"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("two\nlines\x1b[2J", r"two\nlines\x1b[2J"),
    ],
)
def test_a_name_is_shown_on_one_line(name: str, expected: str) -> None:
    assert shown(name) == expected
