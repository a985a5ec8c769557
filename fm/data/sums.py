"""Whether a file is what it was."""

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
