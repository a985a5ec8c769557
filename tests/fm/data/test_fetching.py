"""Files come whole and unchanged from the first place that has them, or not at all."""

import gzip
import hashlib
import os
import socket
import stat
import subprocess
import zipfile
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm.data.fetching import (
    Collected,
    DatasetUnavailable,
    Origin,
    Unusable,
    checked,
    collect,
    debian_package,
    download,
    folder,
    python_package,
    store,
)

if TYPE_CHECKING:
    from conftest import Site

CONTENTS = {"a.gz": b"first" * 100, "b.gz": b"second" * 100}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}


def get(cache: Path, *origins: Origin) -> Collected:
    return collect("letters", SUMS, gzip.decompress, cache, origins, "Do something.")


def fill(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, raw in files.items():
        (path / name).write_bytes(raw)
    return path


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def test_a_download_is_checked_and_kept(tmp_path: Path, site: "Site") -> None:
    site.files |= PACKED
    found = get(tmp_path / "cache", download("site", site.url))
    assert found == Collected(CONTENTS, f"site ({site.url})")
    assert names(tmp_path / "cache") == ["a.gz", "b.gz"]

    again = get(tmp_path / "cache", download("site", site.url))
    assert again == Collected(CONTENTS, f"local cache ({tmp_path / 'cache'})")
    assert site.asked == ["a.gz", "b.gz"]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (PACKED["a.gz"][:-9], "Compressed file ended before the end-of-stream marker was reached"),
        (b"<html>log in to this network first</html>", "Not a gzipped file"),
        (PACKED["b.gz"], "the SHA-256 of its content is"),
        (b"", "the SHA-256 of its content is"),
    ],
    ids=["truncated", "something else", "another file", "empty"],
)
def test_a_broken_cached_file_is_replaced(tmp_path: Path, site: "Site", broken: bytes, why: str) -> None:
    cache = fill(tmp_path / "cache", PACKED | {"a.gz": broken})
    with pytest.raises(DatasetUnavailable, match=why):
        get(cache)
    site.files |= PACKED
    assert get(cache, download("site", site.url)).contents == CONTENTS
    assert site.asked == ["a.gz"]
    assert (cache / "a.gz").read_bytes() == PACKED["a.gz"]


@pytest.mark.parametrize("broken", [PACKED["a.gz"][:-1], b"\x1f\x8b\x08 is how they all start", PACKED["b.gz"]])
def test_a_broken_download_is_never_taken_for_a_good_one(tmp_path: Path, site: "Site", broken: bytes) -> None:
    site.files |= PACKED | {"a.gz": broken}
    with pytest.raises(DatasetUnavailable, match=r"a\.gz: broken: "):
        get(tmp_path / "cache", download("site", site.url))
    assert not (tmp_path / "cache").exists()

    good = fill(tmp_path / "good", PACKED)
    found = get(tmp_path / "cache", download("site", site.url), folder("folder", good))
    assert found == Collected(CONTENTS, f"folder ({good})")


def test_a_download_that_is_cut_off(tmp_path: Path, site: "Site") -> None:
    site.files |= PACKED
    site.cut.add("b.gz")
    with pytest.raises(DatasetUnavailable, match=r"b\.gz: cut off after \d+ bytes, \d+ are lacking"):
        get(tmp_path / "cache", download("site", site.url))
    assert names(tmp_path / "cache") == ["a.gz"]  # what came whole is kept


def test_all_attempts_are_listed_with_their_reasons(tmp_path: Path, site: "Site") -> None:
    cache = fill(tmp_path / "cache", {"a.gz": b"rubbish"})
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(DatasetUnavailable) as failure:
            get(
                cache,
                download("mirror", closed),
                download("site", site.url),
                folder("shelf", tmp_path / "nowhere"),
                debian_package("package", "there-is-no-such-package", Path("/usr/share")),
            )
    first, cached, mirror, served, shelf, package, last = str(failure.value).splitlines()
    assert first == "letters is not to be had. Tried:"
    assert cached.startswith(f"  local cache ({cache}): a.gz: broken: Not a gzipped file")
    assert cached.endswith("; b.gz is not there")
    assert mirror.startswith(f"  mirror ({closed}): a.gz: ")
    assert "refused" in mirror
    assert served == f"  site ({site.url}): a.gz: 404 Not Found"
    assert shelf == f"  shelf ({tmp_path / 'nowhere'}): there is no such folder"
    assert package.startswith("  package (there-is-no-such-package): ")
    assert "apt-get" in package
    assert last == "Do something."


def test_a_host_that_fails_is_asked_once(tmp_path: Path, site: "Site") -> None:
    with pytest.raises(DatasetUnavailable):
        get(tmp_path, download("site", site.url))
    assert site.asked == ["a.gz"]


def test_files_from_several_origins(tmp_path: Path) -> None:
    one = fill(tmp_path / "one", {"a.gz": PACKED["a.gz"]})
    two = fill(tmp_path / "two", PACKED)
    found = get(tmp_path / "cache", folder("one", one), folder("two", two))
    assert found == Collected(CONTENTS, f"one ({one}), two ({two})")


def test_stored_files_are_readable_as_any_other(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    store(tmp_path / "deep" / "file", b"content")
    assert names(tmp_path / "deep") == ["file"]
    assert stat.S_IMODE((tmp_path / "deep" / "file").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_failed_store_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        store(tmp_path / "file", b"content")
    assert names(tmp_path) == ["file"]


@given(st.integers(0, len(PACKED["a.gz"]) - 1), st.integers(0, 255), st.booleans())
def test_no_damage_gets_through(position: int, byte: int, truncate: bool) -> None:
    raw = bytearray(PACKED["a.gz"])
    raw[position] = byte
    damaged = bytes(raw[:position] if truncate else raw)
    try:
        content = checked("a.gz", damaged, gzip.decompress, SUMS["a.gz"])
    except Unusable:
        return
    assert content == CONTENTS["a.gz"]  # the date in gzip's header, say, may be anything


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that apt-get can download: a real one, in an archive of its own, with lists of its own."""
    if not (which("apt-get") and which("dpkg-deb")):
        pytest.skip("apt-get and dpkg-deb are not on this machine")
    tree, archive, state = tmp_path / "tree", tmp_path / "archive", tmp_path / "state"
    fill(tree / "usr/share/letters", PACKED)
    description = "Package: test-letters\nVersion: 1\nArchitecture: all\nMaintainer: Test <test@example.org>\n"
    fill(tree / "DEBIAN", {"control": f"{description}Description: two letters\n".encode()})
    archive.mkdir()
    deb = archive / "test-letters_1_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(deb)], check=True, capture_output=True)
    fill(
        archive,
        {
            "Packages": (
                f"{description}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\n"
                f"SHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\nDescription: two letters\n"
            ).encode()
        },
    )
    for path in ("lists/partial", "cache/archives/partial", "empty"):
        (state / path).mkdir(parents=True)
    fill(
        state,
        {
            "status": b"",
            "sources.list": f"deb [trusted=yes] file:{archive} ./\n".encode(),
            "apt.conf": (
                f'Dir::State "{state}"; Dir::State::status "{state}/status"; Dir::Cache "{state}/cache";\n'
                f'Dir::Etc::sourcelist "{state}/sources.list"; Dir::Etc::sourceparts "{state}/empty";\n'
                'APT::Sandbox::User "";\n'
            ).encode(),
        },
    )
    monkeypatch.setenv("APT_CONFIG", str(state / "apt.conf"))
    updated = subprocess.run(["apt-get", "update"], capture_output=True, text=True, check=False)
    assert updated.returncode == 0, updated.stderr
    return "test-letters"


def test_a_debian_package_is_unpacked(tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    found = get(tmp_path / "cache", debian_package("package", package, Path("/usr/share/letters")))
    assert found == Collected(CONTENTS, "package (test-letters)")
    assert names(scratch) == []

    with pytest.raises(DatasetUnavailable, match=r"package \(test-letters\): it has no /usr/share/numbers"):
        get(tmp_path / "other", debian_package("package", package, Path("/usr/share/numbers")))
    assert names(scratch) == []


@pytest.mark.usefixtures("package")
def test_missing_package_lists_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailable, match=r"Unable to locate package no-numbers .*sudo apt-get update"):
        get(tmp_path / "cache", debian_package("package", "no-numbers", Path("/usr/share/letters")))


def test_a_broken_package(tmp_path: Path, package: str) -> None:
    deb = tmp_path / "archive" / "test-letters_1_all.deb"
    deb.write_bytes(deb.read_bytes()[:-100])
    with pytest.raises(DatasetUnavailable, match=r"package \(test-letters\): apt-get: E: "):
        get(tmp_path / "cache", debian_package("package", package, Path("/usr/share/letters")))


def test_a_machine_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not which("apt-get")
    with pytest.raises(DatasetUnavailable, match="there is no apt-get on this machine"):
        get(tmp_path / "cache", debian_package("package", "test-letters", Path("/usr/share/letters")))


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the files in letters/data, which pip finds here and nowhere else."""
    file = tmp_path / "index" / "test_letters-1-py3-none-any.whl"
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: test-letters\nVersion: 1\nRequires-Dist: nowhere-to-be-had\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as content:
        for name, text in about.items():
            content.writestr(f"test_letters-1.dist-info/{name}", text)
        for name, raw in PACKED.items():
            content.writestr(f"letters/data/{name}", raw)
        content.writestr("letters/__init__.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(file.parent))
    return file


@pytest.mark.usefixtures("wheel")
def test_a_python_package_is_read_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    found = get(tmp_path / "cache", python_package("package", "test-letters==1", "letters/data"))
    assert found == Collected(CONTENTS, "package (test-letters==1)")
    with pytest.raises(DatasetUnavailable, match=r"package \(test-letters\): a\.gz: .*numbers/a\.gz"):
        get(tmp_path / "other", python_package("package", "test-letters", "numbers"))
    assert not names(scratch)
    assert not (tmp_path / "ran").exists()


def test_a_python_package_that_there_is_not(tmp_path: Path, wheel: Path) -> None:
    with pytest.raises(DatasetUnavailable, match="No matching distribution found for test-letters==2"):
        get(tmp_path / "cache", python_package("package", "test-letters==2", "letters/data"))
    wheel.write_bytes(wheel.read_bytes()[:-100])
    with pytest.raises(DatasetUnavailable, match=r"package \(test-letters\): "):
        get(tmp_path / "cache", python_package("package", "test-letters", "letters/data"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    secret = fill(tmp_path / "secret", PACKED)
    (secret / "a.gz").chmod(0)
    with pytest.raises(DatasetUnavailable, match=r"a\.gz: Permission denied"):
        get(tmp_path / "cache", folder("secret", secret))
