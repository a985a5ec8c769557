"""One shard: an Arrow file of one record batch, which is mapped into memory and not parsed.

    data    fixed-size binary, the bytes of each datum, as the codec has it stored
    text    string, whose lines are its captions (fm.data.captions); only where the dataset has captions

Equal rows make equal bytes, and a shard is called by their SHA-256: it can be copied, cached and shared by datasets,
and one that is damaged is found. Apache Arrow's format is stable since 1.0 and read from many languages.

Source: https://arrow.apache.org/docs/format/Columnar.html
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from fm.data.captions import TEXT

DATA = "data"
SUFFIX = ".arrow"


class Shard(NamedTuple):
    """What the manifest says of a shard.

    >>> Shard("9f86d0", rows=1000, bytes=3_072_000).file
    '9f86d0.arrow'
    """

    sha256: str
    rows: int
    bytes: int

    @property
    def file(self) -> str:
        return self.sha256 + SUFFIX


def content_of(data: NDArray[Any], texts: Sequence[str] | None) -> bytes:
    """The file of these rows.

    Args:
        data: (N, *stored), N at least 1.
        texts: one for each row, or none where the dataset has none.
    """
    little = np.ascontiguousarray(data.astype(data.dtype.newbyteorder("<"), copy=False))
    width = little.nbytes // len(little)
    buffers = [None, pa.py_buffer(little)]
    columns = {DATA: pa.Array.from_buffers(pa.binary(width), len(little), buffers)}
    if texts is not None:
        columns[TEXT] = pa.array(texts, pa.string())
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def shard_of(content: bytes, rows: int) -> Shard:
    return Shard(hashlib.sha256(content).hexdigest(), rows, len(content))


class Open:
    """A shard that is mapped into memory, read-only.

    Attributes:
        data: (rows, *stored).

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "some.arrow"
    ...     _ = path.write_bytes(content_of(np.arange(6).reshape(3, 2), ["a", "b", "c"]))
    ...     Open(path, "int64", (2,)).texts(np.array([2, 0]))
    array(['c', 'a'], dtype=object)
    """

    def __init__(self, path: Path, dtype: DTypeLike, stored: tuple[int, ...]) -> None:
        """Raises OSError or ValueError (of which pyarrow's errors are kinds) for what is no such shard."""
        # The map is let go of when the last array over it is.
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        column = batch.column(DATA)
        self.data: NDArray[Any] = np.frombuffer(column.buffers()[1], np.dtype(dtype).newbyteorder("<")).reshape(
            len(column), *stored
        )
        self._texts = batch.column(TEXT) if TEXT in batch.schema.names else None

    def texts(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        if self._texts is None:
            return np.full(len(rows), "", dtype=object)
        found: NDArray[Any] = self._texts.take(pa.array(rows)).to_numpy(zero_copy_only=False)
        return found
