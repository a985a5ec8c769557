"""A folder of your own volumes: a sub-folder for each label, or none at all (fm.data.own_files)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fm.components import Choice, option
from fm.data.coded import CodedSplits
from fm.data.collecting import is_below
from fm.data.dataset import CodedDataset, Request
from fm.data.folder_contents import FolderError
from fm.data.listing import File
from fm.data.own_data import Taken, digest, put_together, taken_from
from fm.data.own_files import own_files
from fm.data.resampling import around_the_middle, over, resampled
from fm.data.rows import Arrays
from fm.data.volume_reading import NIFTI, NUMPY, nibabel, read_volumes
from fm.errors import shown

if TYPE_CHECKING:
    from fm.codecs import Codec

WHAT = "volumes"
VOXEL = "voxel"
"""The unit of distances where nothing says how far voxels lie apart."""
INNER, NARROW = (0.1, 99.9), 0.25
"""Between which percentiles most values lie; and of the whole range, the part below which that is doubted."""


class VolumeFolder(
    CodedDataset,
    name="volume-folder",
    says="a folder of one's own volumes: NumPy, and NIfTI by nibabel; a sub-folder for each label",
):
    """float32 (1, D, H, W) between two limits (fm.codecs.Bounded), or with a threshold uint8 (D, H, W, 1), 255 where
    something is. Beside each lie `file` and `spacing`, float32 (3,), in mm, from a voxel to the next as it is now.

    A NIfTI volume is stored from the feet up, from the front to the back, from the patient's left to the right.

    >>> VolumeFolder(voxels=64, window=(-1000, 400)).box
    (64, 64, 64)
    """

    defaults: ClassVar = {"dataset": {"licence": "not given"}}
    suffixes: ClassVar = (*NUMPY, *NIFTI)
    voxels: int | tuple[int, ...] = option(32, least=4, most=512, length=(1, 3), says="of a side, or along D, H and W")
    spacing: float | None = option(
        None,
        above=0,
        most=1e6,
        says="mm between voxels, of a volume's middle; null: all of it, however large",
    )
    window: tuple[float, ...] | None = option(
        None, length=(2, 2), says="lowest and highest value, to which others are clipped; null: the training data's own"
    )
    threshold: float | None = option(None, says="what is above it is filled, all else is empty; null: measured values")
    resample: Literal["linear", "nearest"] = option("linear", says="between voxels; nearest for numbers of classes")
    unit: str = option("", says="of the values, as HU")

    def check(self) -> None:
        if isinstance(self.voxels, tuple) and len(self.voxels) == 2:
            raise ValueError(f"voxels = {list(self.voxels)}: must be one number, or three along D, H and W")
        if self.window is not None and self.threshold is not None:
            raise ValueError("window and threshold: one of them must be null, since what is filled has no window")
        if self.window is not None and self.window[0] >= self.window[1]:
            raise ValueError(f"window = {list(self.window)}: the lowest must be below the highest")

    @property
    def measures(self) -> Choice | None:
        return None if self.threshold is None else "volumes"

    @property
    def box(self) -> tuple[int, int, int]:
        """Voxels along D, H and W."""
        voxels = (self.voxels,) if isinstance(self.voxels, int) else self.voxels
        depth, height, width = voxels * 3 if len(voxels) == 1 else voxels
        return depth, height, width

    def load(self, asked: Request) -> CodedSplits:
        """Raises FolderError: fm.data.own_files.own_files, fm.data.own_data.put_together. UserError: no nibabel."""
        found = own_files(asked.path, self.suffixes, WHAT)
        if any(file.path.name.lower().endswith(NIFTI) for file in found.files):
            nibabel()
        each = taken_from(found, lambda file: self.read(file, asked.test_fraction))
        taken = [one for one in each if isinstance(one, Taken)]
        return put_together(found, each, self.codec, asked, self.doubts(taken))

    def read(self, file: File, test_fraction: float) -> Taken:
        """The volumes of a file, each in the box. Of a file of several each is held out by its own content.

        Raises:
            BadImage, OSError: fm.data.volume_reading.read_volumes; or there is no telling how large its voxels are.
        """
        from fm.data.decoding import BadImage

        found = read_volumes(file.path)
        if self.spacing is not None and found.spacing is None:
            raise BadImage("nothing says how far its voxels lie apart, so it cannot be brought to another spacing")
        boxed, spacing = zip(*(self.boxed(one, found.spacing) for one in found.values), strict=True)
        is_test = None
        if found.several:
            sums = [hashlib.sha256(np.ascontiguousarray(one).tobytes()).digest() for one in found.values]
            is_test = np.array([is_below(one, test_fraction) for one in sums])
        return Taken(file, np.stack(boxed), digest(file.path), {"spacing": np.array(spacing, np.float32)}, is_test)

    def boxed(self, values: NDArray[Any], spacing: Sequence[float] | None) -> tuple[NDArray[Any], tuple[float, ...]]:
        """A volume (D, H, W) in the box, as it is stored, and its spacing there; no numbers where that is not known."""
        own = spacing or (np.nan,) * 3
        if self.spacing is None:
            axes = [over(length, count) for length, count in zip(values.shape, self.box, strict=True)]
        else:
            steps = [self.spacing / one for one in own]
            axes = [around_the_middle(*one) for one in zip(values.shape, self.box, steps, strict=True)]
        empty = self.window[0] if self.window else float(values.min())
        made = resampled(values, axes, self.resample == "nearest", empty)
        now = tuple(one * axis.step for one, axis in zip(own, axes, strict=True))
        if self.threshold is not None:
            return np.where(made > self.threshold, np.uint8(255), np.uint8(0))[..., np.newaxis], now
        if values.dtype.kind in "biu":  # whole numbers stay so, and samples become them
            made = np.rint(made)
        if self.window is not None:
            low, high = self.window
            made = made.clip(low, high)
        return made[np.newaxis], now

    def codec(self, train: Arrays) -> Codec:
        """With the limits of the values, and the usual spacing. Raises FolderError: all values are one."""
        from fm.codecs import Bounded, Pixels, rounded  # whoever only asks what datasets there are needs no networks

        if train.data.min() == train.data.max():
            raise FolderError(f"all training volumes have the value {train.data.min():g} everywhere{self.advice}")
        known = train.column("spacing")[np.isfinite(train.column("spacing")).all(axis=1)]
        spacing = tuple(rounded(float(one)) for one in np.median(known, axis=0)) if len(known) else ()
        units = ("mm" if spacing else VOXEL,) * len(self.box)  # without a unit they would be taken for videos
        if self.threshold is not None:
            return Pixels(train.stored, spacing=spacing, spacing_units=units)
        low, high = self.window or (float(train.data.min()), float(train.data.max()))
        return Bounded(
            train.stored,
            low=low,
            high=high,
            whole=bool((train.data == np.rint(train.data)).all()),
            units=(self.unit,) if self.unit else (),
            spacing=spacing,
            spacing_units=units,
        )

    @property
    def advice(self) -> str:
        """Against volumes of one value."""
        if self.threshold is not None:
            return f": the option threshold = {self.threshold:g} must lie among their values"
        return f": the option window = {list(self.window)} must have some of their values" if self.window else ""

    def doubts(self, taken: Sequence[Taken]) -> list[str]:
        """Of what was read, warnings."""
        return [*self.about_spacing(taken), *self.about_range(taken)]

    def about_spacing(self, taken: Sequence[Taken]) -> list[str]:
        known = [bool(np.isfinite(one.about["spacing"]).all()) for one in taken]
        if all(known) or not any(known):
            return []
        without = [one.file.name for one, is_known in zip(taken, known, strict=True) if not is_known]
        return [
            f"{len(without)} of {len(known)} files do not say how far voxels lie apart, {shown(without[0])} is one: "
            "samples are said to have the others' spacing"
        ]

    def about_range(self, taken: Sequence[Taken]) -> list[str]:
        if self.window is not None or self.threshold is not None or not taken:
            return []
        values = np.concatenate([one.data.ravel() for one in taken])
        lowest, highest = float(values.min()), float(values.max())
        low, high = np.percentile(values, INNER)
        if high - low > NARROW * (highest - lowest):
            return []
        return [
            f"values go from {lowest:g} to {highest:g}, but nearly all of them from {low:g} to {high:g}: what is to be "
            "learnt is in a small part of the range; the option window clips to it"
        ]
