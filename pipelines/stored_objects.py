"""Whether DVC has an output, in its cache or its remote, and as it was."""

import hashlib
import json
from pathlib import Path

FOLDER = ".dir"


def missing(root: Path, md5: str) -> tuple[str, str]:
    """Where DVC has the output with this md5, a file or a folder (`.dir`), and what is wrong with it, if anything.

    What lies in the cache is read and hashed; of what lies in the remote alone, it is asked whether it is there.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        cache = Path(repo.cache.local.path)
        own = {md5: cache_file(cache, md5)}
        if md5.endswith(FOLDER) and own[md5].exists():
            listed = json.loads(own[md5].read_text())
            own |= {str(entry["md5"]): cache_file(cache, str(entry["md5"])) for entry in listed}
        lacking = [name for name, file in own.items() if not file.exists()]
        damaged = [name for name, file in own.items() if file.exists() and md5_of(file) != name.removesuffix(FOLDER)]
        if damaged:
            return "", f"damaged in DVC's cache {cache}: {', '.join(damaged)}"
        if not lacking:
            return f"DVC's cache, {cache}", ""
        if not repo.config["core"].get("remote"):
            return "", f"not in DVC's cache {cache}, and there is no remote"
        remote = repo.cloud.get_remote_odb()
        absent = [name for name in lacking if not remote.exists(name)]
        place = f"DVC's remote, {remote.fs_path if hasattr(remote, 'fs_path') else remote.path}"
        return place, f"neither in DVC's cache {cache} nor in its remote: {', '.join(absent)}" if absent else ""


def cache_file(cache: Path, md5: str) -> Path:
    return cache / md5[:2] / md5[2:]


def md5_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
