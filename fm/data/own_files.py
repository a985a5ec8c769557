"""A folder of your own videos, volumes or fields: which files there are, under which labels, and who has split them.

    clips/dog/a.mp4, clips/cat/b.gif             a sub-folder for each label
    clips/a.mp4, clips/b.gif                     or none at all
    clips/train/dog/a.mp4, clips/test/dog/b.mp4  either with the splits as you made them

What of the first form tests is decided by each file's content alone, as for images (fm.data.collecting).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fm.data.caption_reading import NOTHING, Fault
from fm.data.collecting import NAMED, some
from fm.data.folder_captions import FolderCaptions
from fm.data.folder_contents import TEXT, TOP, Contents, FolderError, look_into, shown
from fm.data.listing import File
from fm.data.splits import LeftOut

TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Found:
    """What there is in a folder.

    Attributes:
        folder: where it lies.
        what: the files are called in messages: "videos".
        files: in the order of their names, each with its label and what is written about it.
        is_split: whether the first sub-folders are the splits.
        labels: their names, sorted; none for files without.
        left_out: other files.
        warnings: for people.
        caption_faults: what of the captions cannot be kept.

    >>> found = Found(Path("clips"), "videos", (File("test/dog/a.gif", "dog"),), True, ("dog",), (), (), ())
    >>> found.tests("test/dog/a.gif")
    True
    """

    folder: Path
    what: str
    files: tuple[File, ...]
    is_split: bool
    labels: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]
    caption_faults: tuple[Fault, ...]

    def tests(self, name: str) -> bool | None:
        """Whether a file is one to test with, where people have said so; else none."""
        return name.split("/")[0] == TEST if self.is_split else None


def own_files(folder: Path, suffixes: Collection[str], what: str) -> Found:
    """The files of these suffixes below a folder.

    Args:
        what: they are called in messages, as "videos".

    Raises:
        FolderError: there is no such folder, no such file in it, or files both beside and in sub-folders.
    """
    contents = look_into(folder, suffixes, what)
    if not contents.images:
        raise nothing_there(folder, contents, suffixes, what)
    names = [name for name, _ in contents.images]
    is_split = {name.split("/")[0] for name in names} == {TRAIN, TEST} and all("/" in name for name in names)
    label_of = {name: label(name, is_split) for name in names}
    labels = sorted({one for one in label_of.values() if one is not None})
    without = [name for name in names if label_of[name] is None]
    if labels and without:
        raise FolderError(
            f"{folder}: {what} both beside sub-folders ({shown(without[0])}) and in them ({shown(labels[0])}/): "
            "put each into the sub-folder of its label, or all into the folder itself"
        )
    captions = FolderCaptions.of(contents)
    contents.left_out.update((text.split("/")[0] if "/" in text else TOP, TEXT) for text in captions.unused)
    return Found(
        folder=folder,
        what=what,
        files=tuple(
            File(name, label_of[name], captions.said.get(name, NOTHING), path=path, beside=captions.beside.get(name))
            for name, path in contents.images
        ),
        is_split=is_split,
        labels=tuple(labels),
        left_out=tuple(LeftOut(*key, files) for key, files in sorted(contents.left_out.items())),
        warnings=tuple(doubts(contents, labels, is_split, what)),
        caption_faults=captions.faults,
    )


def label(name: str, is_split: bool) -> str | None:
    """The first sub-folder that a file is in, below that of its split.

    >>> label("dog/old/a.gif", is_split=False), label("train/dog/a.gif", is_split=True), label("a.gif", is_split=False)
    ('dog', 'dog', None)
    """
    folders = name.split("/")[1 if is_split else 0 : -1]
    return folders[0] if folders else None


def nothing_there(folder: Path, contents: Contents, suffixes: Collection[str], what: str) -> FolderError:
    there = ", ".join(f"{files} {kind}" for (_, kind), files in sorted(contents.left_out.items())[:NAMED])
    return FolderError(
        f"{folder}: there are no {what} in it ({', '.join(sorted(suffixes))})" + (f", but {there}" if there else "")
    )


def doubts(contents: Contents, labels: Sequence[str], is_split: bool, what: str) -> list[str]:
    """What may not have been meant as it is taken."""
    said = [
        f"{count:,} {what} of {shown(place)}/ lie outside of the folder, in {shown(target)}, by links"
        for (place, _), (count, target) in sorted(contents.elsewhere.items())
    ]
    if not is_split and {TRAIN, TEST} & set(labels):
        said.append(
            f"the sub-folders {some(labels)} are taken for labels: for splits there must be {TRAIN}/ and {TEST}/ and "
            "no others beside them"
        )
    return said
