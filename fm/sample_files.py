"""Samples as files of the kind that the data came in, with units and spacing where the codec knows them.

    .webp .gif          a moving picture for each sample; of a volume, its slices
    .nii .nii.gz        a volume for each sample, by nibabel, which is optional
    .nc                 all samples in one NetCDF file, a variable for each channel
    .npz                all samples in one array, and units, spacing and names of channels beside it
    .npy                the array alone

Source: https://docs.unidata.ucar.edu/nug/current/best_practices.html, https://nifti.nimh.nih.gov/nifti-1
"""

import gzip
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fm.codecs import Bounded, Codec, Described
from fm.errors import UserError
from fm.films import gif, webp

EACH = (".nii.gz", ".nii", ".webp", ".gif")
TOGETHER = (".npy", ".npz", ".nc")
FRAME = 0.1  # seconds, where nothing says how long a frame is shown
AXES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}


def files_of(samples: NDArray[Any], codec: Codec, name: str) -> Iterator[tuple[str, bytes]]:
    """The files of samples (B, *stored), each by its name; that of many has a number before its suffix.

    Args:
        codec: that has decoded them.
        name: whose suffix says what kind of file.

    Raises:
        UserError: no such kind of file, none that such samples can be, or nibabel is needed.

    >>> from fm.codecs import Standardised
    >>> heights = Standardised((1, 4, 6), variables=("height",), units=("m",))
    >>> [name for name, _ in files_of(np.zeros((3, 1, 4, 6), np.float32), heights, "heights.nc")]
    ['heights.nc']
    """
    suffix = next((one for one in (*EACH, *TOGETHER) if name.lower().endswith(one)), None)
    if suffix is None:
        raise UserError(f"{name}: must end in one of {', '.join((*EACH, *TOGETHER))}")
    if suffix in TOGETHER:
        together = {".npy": npy, ".npz": npz, ".nc": netcdf}[suffix]
        yield name, together(samples, codec)
        return
    stem = name[: -len(suffix)]
    digits = len(str(len(samples) - 1))
    for number, sample in enumerate(samples):
        numbered = name if len(samples) == 1 else f"{stem}-{number:0{digits}}{name[len(stem) :]}"
        yield numbered, film(sample, codec, suffix) if suffix in (".webp", ".gif") else nifti(sample, codec, suffix)


def known(codec: Codec) -> Described | None:
    return codec if isinstance(codec, Described) else None


def film(sample: NDArray[Any], codec: Codec, suffix: str) -> bytes:
    """A video (T, H, W, 1 or 3), each frame shown as long as its data's were. Raises UserError: it is none."""
    if sample.dtype != np.uint8 or sample.ndim != 4 or sample.shape[-1] not in (1, 3):
        raise UserError(f"{suffix} is for videos, and these samples are {sample.dtype} {sample.shape}")
    about = known(codec)
    seconds = about.spacing[0] if about and about.spacing and about.spacing_units[:1] == ("s",) else FRAME
    return (webp if suffix == ".webp" else gif)(sample, round(1000 * seconds))


def nifti(sample: NDArray[Any], codec: Codec, suffix: str) -> bytes:
    """A volume (1, D, H, W) or (D, H, W, 1), with the millimetres between its voxels; 1 where they are not known.

    Its axes are those of fm.data.volume_reading: written from left to right, from back to front, from the feet up.

    Raises:
        UserError: it is no volume, or nibabel is needed.
    """
    from fm.data.volume_reading import nibabel

    if sample.ndim != 4 or 1 not in (sample.shape[0], sample.shape[-1]):
        raise UserError(f"{suffix} is for volumes, and these samples are {sample.dtype} {sample.shape}")
    nib = nibabel()
    volume = sample[0] if sample.dtype != np.uint8 else sample[..., 0]
    about = known(codec)
    spacing = about.spacing if about and about.spacing else (1.0, 1.0, 1.0)
    image = nib.Nifti1Image(
        np.ascontiguousarray(volume[:, ::-1].transpose()).astype(as_saved(volume, codec)),
        np.diag([*spacing[::-1], 1.0]),
    )
    image.header.set_xyzt_units("mm")
    content: bytes = image.to_bytes()
    return gzip.compress(content, mtime=0) if suffix == ".nii.gz" else content


WHOLE = ("uint8", "int16", "int32")


def as_saved(values: NDArray[Any], codec: Codec) -> np.dtype[Any]:
    """Of whole numbers the smallest type that has all within their limits."""
    if not isinstance(codec, Bounded) or not codec.whole:
        return values.dtype
    limits = {kind: np.iinfo(kind) for kind in WHOLE}
    fitting = [kind for kind, one in limits.items() if one.min <= codec.low and codec.high <= one.max]
    return np.dtype(fitting[0]) if fitting else values.dtype


def netcdf(samples: NDArray[Any], codec: Codec) -> bytes:
    """Fields or volumes (B, C, *spatial) as NetCDF 3, which everything reads: along each axis where its points lie. An
    axis is called otherwise where a variable has its name.

    Raises:
        UserError: they are none.
    """
    from scipy.io import netcdf_file

    axes = AXES.get(samples.ndim - 2)
    if axes is None or samples.dtype == np.uint8:
        raise UserError(f".nc is for fields and volumes, and these samples are {samples.dtype} {samples.shape[1:]}")
    about, channels = known(codec), samples.shape[1]
    names = about.variables if about and about.variables else tuple(f"channel_{number}" for number in range(channels))
    units = about.units if about and about.units else ("",) * channels
    spacing = about.spacing if about and about.spacing else (1.0,) * len(axes)
    axis_units = about.spacing_units if about and about.spacing_units else ("",) * len(axes)
    content = io.BytesIO()
    with netcdf_file(content, "w") as file:
        number, *places = (axis if axis not in names else f"{axis}_axis" for axis in ("sample", *axes))
        file.createDimension(number, len(samples))
        for axis, length, step, unit in zip(places, samples.shape[2:], spacing, axis_units, strict=True):
            file.createDimension(axis, length)
            place = file.createVariable(axis, "f8", (axis,))
            place[:] = step * np.arange(length)
            place.units = unit.encode()
        for channel, (name, unit) in enumerate(zip(names, units, strict=True)):
            variable = file.createVariable(netcdf_name(name), "f4", (number, *places))
            variable[:] = samples[:, channel]
            variable.units = unit.encode()
        file.flush()
        return content.getvalue()


def netcdf_name(name: str) -> str:
    """A name as SciPy has to be given it: it writes Latin-1, and NetCDF's names are UTF-8, without slashes.

    >>> netcdf_name("wind/u"), netcdf_name("é").encode("latin-1").decode()
    ('wind_u', 'é')
    """
    return name.replace("/", "_").encode().decode("latin-1")


def npz(samples: NDArray[Any], codec: Codec) -> bytes:
    about, content = known(codec), io.BytesIO()
    names = ("variables", "units", "spacing", "spacing_units")
    beside: dict[str, Any] = {name: np.array(value) for name in names if about and (value := getattr(about, name))}
    np.savez_compressed(content, data=samples, **beside)
    return content.getvalue()


def npy(samples: NDArray[Any], codec: Codec) -> bytes:
    content = io.BytesIO()
    np.save(content, samples, allow_pickle=False)
    return content.getvalue()
