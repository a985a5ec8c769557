"""A folder of your own videos: a sub-folder for each label, or none at all (fm.data.own_files)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice, option
from fm.data.coded import CodedSplits
from fm.data.dataset import CodedDataset, Request
from fm.data.film_reading import ANIMATED, FILMS, Times, pyav, read_film
from fm.data.listing import File
from fm.data.own_data import Taken, Unfit, digest, put_together, taken_from
from fm.data.own_files import own_files
from fm.data.rows import Arrays

if TYPE_CHECKING:
    from fm.codecs import Pixels

WHAT = "videos"
ROUNDING = 1e-6  # of a frame or second, so that what ends on a frame's beginning has that frame no more


class VideoFolder(
    CodedDataset,
    name="video-folder",
    says="a folder of one's own videos: GIF, WebP, APNG, and MP4, WebM, MOV by PyAV; a sub-folder for each label",
):
    """uint8 (frames, side, side, channels), with `file`, and of each clip `begins`, where it begins in its video, and
    `seconds` from a frame to the next, both float32.

    A video gives up to `clips` clips, spread evenly over it: the first begins with it, the last ends with it, and no
    two overlap. All of them are in one split.

    >>> VideoFolder(frames=8, fps=12.5).frames
    8
    """

    defaults: ClassVar = {"dataset": {"licence": "not given"}}
    suffixes: ClassVar = (*ANIMATED, *FILMS)
    frames: int = option(16, least=2, most=1024, says="frames of a clip")
    side: int = option(32, least=8, most=512, says="pixels of a side of a frame: the middle square, resized")
    channels: int = option(3, choices=(1, 3), says="1 grey, 3 colour")
    fps: float | None = option(None, above=0, most=1000, says="frames a second; null: the video's own frames")
    every: int = option(1, least=1, most=10_000, says="of the video's own frames, every so many-th")
    clips: int | None = option(
        1, least=1, most=100_000, says="most clips of a video; null: as many as there is room for"
    )

    def check(self) -> None:
        if self.fps is not None and self.every > 1:
            raise ValueError(f"every = {self.every}: must be 1 where fps says when frames are taken")

    @property
    def measures(self) -> Choice:
        return "films"

    def load(self, asked: Request) -> CodedSplits:
        """Raises FolderError: fm.data.own_files.own_files, fm.data.own_data.put_together. UserError: PyAV is needed."""
        found = own_files(asked.path, self.suffixes, WHAT)
        if any(file.path.suffix.lower() in FILMS for file in found.files):
            pyav()
        return put_together(found, taken_from(found, self.read), self.codec, asked)

    def read(self, file: File) -> Taken | Unfit:
        """The clips of a video. Raises BadImage, OSError."""
        read = read_film(file.path, self.side, self.channels, self.clips_of)
        if not len(read.frames):
            count, seconds = len(read.times.begins), read.times.end
            how = f"{self.frames} frames" + (f" at {self.fps:g} a second" if self.fps else "")
            if self.every > 1:
                how = f"{how}, every {self.every} of its own"
            return Unfit(file, f"too short for {how}", f"{count} in {seconds:.2f} s")
        begins = read.times.begins[read.wanted]
        seconds_of = np.full(len(begins), 1 / self.fps) if self.fps else np.diff(begins, axis=1).mean(axis=1)
        about = {"begins": begins[:, 0].astype(np.float32), "seconds": seconds_of.astype(np.float32)}
        return Taken(file, read.frames, digest(file.path), about)

    def clips_of(self, times: Times) -> NDArray[np.int64]:
        """The numbers of a video's frames that its clips are made of, (clips, frames)."""
        own = self.in_time(times)
        room = len(own) // self.frames
        count = room if self.clips is None else min(self.clips, room)
        starts = [number * (len(own) - self.frames) // max(count - 1, 1) for number in range(count)]
        chosen: NDArray[np.int64] = own[np.array(starts, dtype=np.int64)[:, np.newaxis] + np.arange(self.frames)]
        return chosen

    def in_time(self, times: Times) -> NDArray[np.int64]:
        """Those that clips are cut from: at each time the one that is shown then, or every so many-th."""
        if self.fps is None:
            return np.arange(0, len(times.begins), self.every)
        moments = np.arange(int(times.end * self.fps + ROUNDING)) / self.fps
        return np.searchsorted(times.begins, moments + ROUNDING, side="right") - 1

    def codec(self, train: Arrays) -> Pixels:
        """With the usual time from a frame to the next."""
        from fm.codecs import Pixels, rounded  # whoever only asks what datasets there are needs no networks

        seconds = rounded(float(np.median(train.column("seconds"))))
        return Pixels(train.stored, spacing=(seconds, 1.0, 1.0), spacing_units=("s", "pixel", "pixel"))
