"""Many samples as objects in S3: one for each chunk, since one for each image would be millions.

    s3://bucket/prefix/settings.json    what decides the images, and how many there are
    s3://bucket/prefix/00000000.npz     those from index 0 on: `images` uint8 (n, H, W, C), `labels` int64 (n,)
    s3://bucket/prefix/00000200.npz     those from index 200 on, and so forth; the last has what is left of the count

An object is the same bytes whoever makes it, and is never written twice.
"""

import io
import json

import numpy as np

from fm.errors import UserError
from fm.s3 import Place
from pipelines.generate.files import CHUNK, SETTINGS, Job, Shard, require_same


def to_objects(job: Job, place: Place, shard: Shard) -> int:
    """Make a shard's chunks. Those that are there stay.

    Returns:
        The number of images made now.

    Raises:
        UserError: the place has objects of other settings, or the store refuses.
        TryLater: the store does not answer.
    """
    there, made = claim(place, job), 0
    for first in shard.starts(job.count):
        name, count = f"{first:08d}.npz", min(CHUNK, job.count - first)
        if name not in there and place.write_new(name, content(job, first, count)):
            made += count
            print(f"{place}: {first + count}/{job.count}", flush=True)
    return made


def content(job: Job, first: int, count: int) -> bytes:
    """The first `count` images of a chunk, with their labels, as the bytes of a .npz."""
    file = io.BytesIO()
    np.savez_compressed(file, **job.arrays(first, job.chunk(first)[:count]))  # type: ignore[arg-type]
    return file.getvalue()


def claim(place: Place, job: Job) -> set[str]:
    """Say in the place what is made there.

    Returns:
        The names of the objects that were there before.

    Raises:
        UserError: that is something else already.
        TryLater: the store does not answer.
    """
    asked = job.settings | {"count": job.count}
    # In this order: others of the same set may begin meanwhile, and a chunk is never there before the settings.
    there, said = place.names(), place.read(SETTINGS)
    if said is None:
        if there:
            raise UserError(f"{place}: has objects that were not made here; name another prefix, or an empty one")
        if place.write_new(SETTINGS, (json.dumps(asked, indent=2) + "\n").encode()):
            return there
        said = place.read(SETTINGS)
    require_same(place, json.loads(said or b"{}"), asked)
    return there
