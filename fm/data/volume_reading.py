"""Volumes out of NumPy's files and NIfTI, with the distance between their voxels.

NIfTI is read by nibabel, which is optional. A volume of a scanner is turned as people look at it: from the feet up,
from the front to the back, from the patient's left to the right, whichever way its file has it.

Source: https://nipy.org/nibabel/coordinate_systems.html, https://nifti.nimh.nih.gov/nifti-1
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fm.data.decoding import BadImage
from fm.data.own_data import damaged_otherwise
from fm.errors import UserError

NUMPY = (".npy", ".npz")
NIFTI = (".nii", ".nii.gz")
SPACING = "spacing"
"""An array of an .npz file beside the volume: three distances, axis by axis, in mm."""
MILLIMETRES = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}
MOST_VOXELS = 2**31


class Volumes(NamedTuple):
    """What a file has.

    Attributes:
        values: (n, D, H, W), of whatever numbers.
        spacing: from a voxel to the next along D, H and W, in mm; none where nothing says so.
        several: whether the file is one of several volumes.

    >>> Volumes(np.zeros((1, 8, 8, 8)), (2.0, 1.0, 1.0), several=False).spacing
    (2.0, 1.0, 1.0)
    """

    values: NDArray[Any]
    spacing: tuple[float, float, float] | None
    several: bool


def read_volumes(path: Path) -> Volumes:
    """Raises BadImage: damaged, of other axes, or not of finite numbers. OSError: it cannot be read."""
    with damaged_otherwise(path):
        found = of_nifti(path) if path.name.lower().endswith(NIFTI) else of_numpy(path)
        require_numbers(found.values)
        return found


def require_numbers(values: NDArray[Any]) -> None:
    """Raises BadImage: values that float32, which they become, cannot hold."""
    if values.dtype.kind not in "biuf":
        raise BadImage(f"its values are {values.dtype}: must be real numbers")
    if values.dtype.kind == "f" and (wrong := int(np.sum(~np.isfinite(values)))):
        raise BadImage(f"{wrong:,} of its {values.size:,} values are not finite; put a number in their place")
    furthest = max(float(values.max()), float(values.min()), key=abs)
    if abs(furthest) > np.finfo(np.float32).max:
        raise BadImage(f"its values reach {furthest:g}, beyond what float32 can hold; write them in another unit")


def of_numpy(path: Path) -> Volumes:
    """Of an array (D, H, W), or of several volumes (n, D, H, W)."""
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return volumes(content, None)
    with content:
        names = [name for name in content.files if name != SPACING]
        if len(names) != 1:
            raise BadImage(f"it has the arrays {', '.join(content.files)}: must have one, and perhaps {SPACING}")
        return volumes(content[names[0]], content[SPACING] if SPACING in content.files else None)


def volumes(values: NDArray[Any], spacing: NDArray[Any] | None) -> Volumes:
    if values.ndim not in (3, 4) or 0 in values.shape:
        raise BadImage(f"an array {values.shape}: must be (D, H, W), or (n, D, H, W) of several volumes")
    require_size(values.shape)
    if spacing is not None and not are_distances(spacing):
        raise BadImage(f"{SPACING} = {spacing.tolist()}: must be three distances above 0")
    depth, height, width = (float(one) for one in spacing) if spacing is not None else (0.0, 0.0, 0.0)
    several = values.ndim == 4
    return Volumes(
        values if several else values[np.newaxis], (depth, height, width) if spacing is not None else None, several
    )


def are_distances(spacing: NDArray[Any]) -> bool:
    """Whether these are three numbers above 0.

    >>> are_distances(np.array([3.0, 1.5, 0.5])), are_distances(np.array(["3", "1.5", "0.5"]))
    (True, False)
    """
    if spacing.shape != (3,) or spacing.dtype.kind not in "iuf":
        return False
    return bool((np.isfinite(spacing) & (spacing > 0)).all())


def require_size(shape: tuple[int, ...]) -> None:
    if int(np.prod(shape, dtype=np.int64)) > MOST_VOXELS:
        raise BadImage(f"{'x'.join(map(str, shape))}, more than {MOST_VOXELS:,} voxels")


def of_nifti(path: Path) -> Volumes:
    """Of an image with three axes; further ones must be of length 1."""
    nib = nibabel()
    image = nib.load(path)
    if any(length != 1 for length in image.shape[3:]) or len(image.shape) < 3 or 0 in image.shape:
        raise BadImage(f"an image {image.shape}: must have three axes; save each volume of a series by itself")
    require_size(image.shape)
    scale = MILLIMETRES[image.header.get_xyzt_units()[0]]
    orientation = nib.orientations.io_orientation(image.affine)
    if np.isnan(orientation).any():
        raise BadImage("its affine does not say which way its axes go")
    values = nib.orientations.apply_orientation(np.asanyarray(image.dataobj).reshape(image.shape[:3]), orientation)
    across, forward, up = (
        float(image.header.get_zooms()[int(place)]) * scale for place in np.argsort(orientation[:, 0])
    )
    if not min(across, forward, up) > 0:
        raise BadImage(f"its voxels are {across:g} x {forward:g} x {up:g} mm: must be above 0")
    return Volumes(values.transpose()[np.newaxis, :, ::-1], (up, forward, across), several=False)


def nibabel() -> Any:
    """Raises UserError: it is not installed."""
    try:
        import nibabel as nib
    except ImportError:
        raise UserError(
            f"NIfTI ({', '.join(NIFTI)}) is read and written by nibabel, which is not installed: pip install nibabel, "
            "or the extra `volumes`; or save the volumes as .npz"
        ) from None
    return nib
