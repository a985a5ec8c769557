import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fm.data.debian import MAGIC, debian_archive, members
from fm.data.fetching import Collected, DatasetUnavailable, collect

if TYPE_CHECKING:
    from conftest import Site

PATH = "pool/main/h/heights/heights_1.0-1_all.deb"
INSIDE = Path("/usr/share/heights")
SUMS = {"earth.cdf": hashlib.sha256(b"round").hexdigest()}


def tar(files: dict[str, bytes], mode: str = "w:xz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as made:  # type: ignore[call-overload]
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            made.addfile(member, io.BytesIO(raw))
    return content.getvalue()


def ar(files: dict[str, bytes]) -> bytes:
    made = MAGIC
    for name, raw in files.items():
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(raw):<10}`\n".encode() + raw + b"\n" * (len(raw) % 2)
    return made


def package(files: dict[str, bytes]) -> bytes:
    return ar({"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tar(files)})


def get(cache: Path, site: "Site") -> Collected:
    return collect("heights", SUMS, bytes, cache, [debian_archive(PATH, INSIDE, site.url)], "Do something.")


def test_a_file_comes_out_of_a_package_and_is_kept(tmp_path: Path, site: "Site") -> None:
    site.files[PATH] = package({"./usr/share/doc/copyright": b"free", "./usr/share/heights/earth.cdf": b"round"})
    found = get(tmp_path, site)
    assert found == Collected({"earth.cdf": b"round"}, f"Debian's archive ({site.url}{PATH})")
    assert (tmp_path / "earth.cdf").read_bytes() == b"round"
    assert [file.name for file in tmp_path.iterdir()] == ["earth.cdf"]


def test_members_are_read_whether_their_lengths_are_even_or_odd() -> None:
    files = {"a": b"", "b": b"1", "c": b"22", "d": b"333"}
    assert dict(members(ar(files))) == files


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, f"{PATH}: 404"),
        (b"<html>log in to this network first</html>", f"{PATH}: it is no Debian package"),
        (ar({"debian-binary": b"2.0\n"}), f"{PATH}: it is no Debian package"),
        (ar({"data.tar.xz": b"no tar file"}), f"{PATH}: "),
        (package({"./usr/share/heights/mars.cdf": b"red"}), "earth.cdf"),
        (package({"./usr/share/heights/earth.cdf": b"flat"}), "earth.cdf: broken: the SHA-256"),
        (package({"./usr/share/heights/earth.cdf": b"round" * 9999})[:-100], f"{PATH}: "),
    ],
    ids=["not there", "something else", "without content", "no tar file", "another file", "another content", "cut off"],
)
def test_what_cannot_be_had_is_told(content: bytes | None, why: str, tmp_path: Path, site: "Site") -> None:
    if content is not None:
        site.files[PATH] = content
    with pytest.raises(DatasetUnavailable) as failure:
        get(tmp_path, site)
    assert why in str(failure.value)
    assert list(tmp_path.iterdir()) == []
