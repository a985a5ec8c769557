"""Files out of Debian packages where there is no apt: their archives are read in memory. Nothing in them is run.

Source: https://manpages.debian.org/bookworm/dpkg-dev/deb.5.en.html
"""

import io
import lzma
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from fm.data.fetching import Files, Origin, Unusable, download

ARCHIVE = "http://deb.debian.org/debian/"
MAGIC = b"!<arch>\n"
HEADER, NAME, SIZE = 60, slice(0, 16), slice(48, 58)
"""Of a member of an ar file: bytes of its header, and where its name and its size are in it."""


def debian_archive(path: str, inside: Path, url: str = ARCHIVE) -> Origin:
    """Files in the folder `inside` of a package that lies at `path` below an archive's address."""

    def read(names: Iterable[str]) -> Files:
        ((_, package),) = download("", url).read([path])
        try:
            with tarfile.open(fileobj=io.BytesIO(content_of(package))) as content:
                for name in names:
                    found = content.extractfile(f".{inside / name}")
                    if found is None:
                        raise Unusable(f"{name} is no file")
                    yield name, found.read()
        except (KeyError, ValueError, tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise Unusable(f"{path}: {error}") from None

    return Origin(f"Debian's archive ({url}{path})", read)


def content_of(package: bytes) -> bytes:
    """The tar file, packed as it is, with a package's files. Raises ValueError if there is none."""
    for name, content in members(package):
        if name.startswith("data.tar"):
            return content
    raise ValueError("it is no Debian package")


def members(ar: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in an ar file; none where it is something else."""
    place = len(MAGIC) if ar.startswith(MAGIC) else len(ar)
    while place + HEADER <= len(ar):
        header = ar[place : place + HEADER]
        size = int(header[SIZE])
        place += HEADER
        yield header[NAME].decode("ascii", "replace").strip().rstrip("/"), ar[place : place + size]
        place += size + size % 2  # each begins at an even place
