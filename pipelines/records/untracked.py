"""Files of a checkout that git neither has nor ignores: which of them travel with a run, and what the others leave.

Whole travels what may be code or settings: a text of at most 1 MiB that is called like such. Of everything else, of
pictures for instance, a run has name, size and SHA-256; of what its name or its content makes a secret name and size
alone. This keeps out what people usually call secrets, and no password within a script.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

CODE = (".py", ".pyi", ".sh", ".toml", ".yaml", ".yml", ".j2")
LARGEST = 2**20
MOST_LISTED = 1000  # files
MOST_HASHED = 2**28  # bytes, together
SECRET_NAME = re.compile(
    r"(^|[._-])(\.?env|secrets?|credentials?|passwords?|passwd|tokens?|api_?keys?|private|id_(rsa|dsa|ecdsa|ed25519))([._-]|$)",
    re.IGNORECASE,
)
SECRET_CONTENT = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b")


def travels(file: Path, root: Path) -> bool:
    """Whether a file, relative to `root`, goes whole with a run."""
    if file.suffix not in CODE or is_secret_by_name(file) or any(part.startswith(".") for part in file.parts):
        return False
    whole = root / file
    if whole.is_symlink() or not whole.is_file() or whole.stat().st_size > LARGEST:
        return False
    content = whole.read_bytes()
    return b"\0" not in content and not SECRET_CONTENT.search(content)


def is_secret_by_name(file: Path) -> bool:
    return any(SECRET_NAME.search(part) for part in file.parts)


def listing(files: Sequence[Path], root: Path) -> str:
    """One line for each file that does not travel: SHA-256, size in bytes, path. A - is what is not told."""
    lines, hashed = [], 0
    for file in files[:MOST_LISTED]:
        whole = root / file
        if whole.is_symlink() or not whole.is_file():
            lines.append(f"- - {file}")
            continue
        size, digest = whole.stat().st_size, "-"
        if hashed + size <= MOST_HASHED and not is_secret(file, root):
            hashed += size
            digest = hashlib.sha256(whole.read_bytes()).hexdigest()
        lines.append(f"{digest} {size} {file}")
    if rest := len(files) - MOST_LISTED:
        lines += [f"and {rest} more"] if rest > 0 else []
    return "".join(f"{line}\n" for line in lines)


def is_secret(file: Path, root: Path) -> bool:
    if is_secret_by_name(file):
        return True
    whole = root / file
    return whole.stat().st_size <= LARGEST and SECRET_CONTENT.search(whole.read_bytes()) is not None
