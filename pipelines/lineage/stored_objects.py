"""Whether DVC has an output, in its cache or its remote, and as it was."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fm import s3
from fm.errors import TryLater, UserError

FOLDER = ".dir"
NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
NAMED = 3
"""So many of the missing are named, of folders with tens of thousands of files."""


@dataclass(frozen=True)
class Found:
    """Attributes:
    where: in which places, and whether it was read there; empty where something is wrong.
    wrong: what is missing or damaged.
    """

    where: str = ""
    wrong: str = ""


def look_up(root: Path, md5: str) -> Found:
    """Where DVC has the output with this md5, a file or a folder (`.dir`), or what is wrong with it.

    What lies in the cache is read and hashed. Of what lies in the remote alone a folder's list is read and hashed; of
    files it is asked whether they are there.

    Raises:
        UserError: the remote refuses.
        TryLater: it does not answer.
    """
    from dvc.repo import Repo

    if wrong := no_names({md5}):
        return wrong
    with Repo(str(root)) as repo:
        cache = Path(repo.cache.local.path)
        remote = Remote(repo.cloud.get_remote_odb()) if repo.config["core"].get("remote") else None
        file = cache_file(cache, md5)
        if md5.endswith(FOLDER) and not file.exists() and remote is not None:
            return look_up_fetched(cache, remote, md5)
        whole = md5.endswith(FOLDER) and file.exists() and is_whole(file, md5)
        return look_up_objects(cache, remote, {md5} | (listed(file.read_bytes()) if whole else set()))


def look_up_fetched(cache: Path, remote: "Remote", md5: str) -> Found:
    """A folder whose list lies in the remote alone."""
    content = remote.read(md5)
    if content is None:
        return look_up_objects(cache, remote, {md5})
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(FOLDER):
        return Found(wrong=f"damaged in {remote}: {md5}")
    found = look_up_objects(cache, remote, listed(content))
    parts = ["the folder's list fetched, read and hashed", found.where]
    return found if found.wrong else Found("; ".join(part for part in parts if part))


def look_up_objects(cache: Path, remote: "Remote | None", names: Set[str]) -> Found:
    if wrong := no_names(names):
        return wrong
    here = {name for name in names if cache_file(cache, name).exists()}
    damaged = [name for name in here if not is_whole(cache_file(cache, name), name)]
    if damaged:
        return Found(wrong=f"damaged in DVC's cache {cache}: {some(damaged)}")
    lacking = names - here
    if lacking and remote is None:
        return Found(wrong=f"not in DVC's cache {cache}, and there is no remote: {some(lacking)}")
    absent = lacking - remote.there(lacking) if remote is not None else set()
    if absent:
        return Found(wrong=f"neither in DVC's cache {cache} nor in {remote}: {some(absent)}")
    read = [f"DVC's cache {cache}: {objects(here)} read and hashed"] if here else []
    there = [f"{remote}: {objects(lacking)} there, not read"] if lacking else []
    return Found("; ".join([*read, *there]))


def no_names(names: Set[str]) -> Found | None:
    """What to say of names that are no md5: they would become paths."""
    strange = [repr(name) for name in names if not NAME.fullmatch(name)]
    return Found(wrong=f"no md5 of DVC's: {some(strange)}") if strange else None


@dataclass(frozen=True)
class Remote:
    """DVC's remote, which is only read."""

    store: Any

    def __str__(self) -> str:
        return f"DVC's remote {self.store.fs.unstrip_protocol(self.store.path)}"

    def there(self, names: Set[str]) -> set[str]:
        """Those that are there: by listing the remote, or one by one where DVC takes that for less work."""
        from dvc_objects.db import ObjectDB

        if not names:
            return set()
        # DVC overrides this method for remotes in a folder, and deletes there what it takes for damaged.
        oids_exist: Any = ObjectDB.oids_exist
        with self.asking():
            return set(oids_exist(self.store, names))

    def read(self, name: str) -> bytes | None:
        """An object's content, None where there is none."""
        with self.asking():
            try:
                with self.store.fs.open(self.store.oid_to_path(name), "rb") as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    @contextmanager
    def asking(self) -> Iterator[None]:
        try:
            with s3.translated(str(self)):
                yield
        except PermissionError as error:
            raise UserError(f"{self}: {error}") from None
        except OSError as error:
            raise TryLater(f"{self}: {error}") from None


def listed(content: bytes) -> set[str]:
    """The md5s of a folder's files, by its list."""
    return {str(entry["md5"]) for entry in json.loads(content)}


def some(names: Collection[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(sorted(names)[:NAMED]) + more


def objects(names: Collection[str]) -> str:
    return f"{len(names)} object{'' if len(names) == 1 else 's'}"


def cache_file(cache: Path, md5: str) -> Path:
    return cache / md5[:2] / md5[2:]


def is_whole(file: Path, md5: str) -> bool:
    return md5_of(file) == md5.removesuffix(FOLDER)


def md5_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
