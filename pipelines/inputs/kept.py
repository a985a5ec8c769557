"""What the inputs of stages were found to be, kept in the cache while settings and code are the same: to find it takes
seconds, and every stage asks when it begins and when it ends.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from fm.errors import UserError
from pipelines.inputs.components import LIBRARY, OWN, brought
from pipelines.params import FILE
from pipelines.project import cache_dir, whole_file

CODE = (LIBRARY, OWN, "pipelines")
LEFT_OUT = {".pyc", ".partial"}


def digest(root: Path) -> str:
    """Of all that inputs come from, but for folders with trained networks and what is installed."""
    found = hashlib.sha256(repr(sorted(brought().items())).encode())
    code = (file for folder in CODE for file in sorted((root / folder).rglob("*")) if file.suffix not in LEFT_OUT)
    for file in (root / FILE, *code):
        if file.is_file():
            content = file.read_bytes()
            found.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def read(stage: str, now: str) -> str | None:
    """What was found of a stage when settings and code were as they are now, if they were so last."""
    with suppress(OSError, UnicodeError, UserError):
        of, _, text = file_of(stage).read_text(encoding="utf-8").partition("\n")
        return text if of == now else None
    return None


def keep(stage: str, now: str, text: str) -> None:
    """Instead of what was kept of the stage before; nothing where there is no cache to write to."""
    with suppress(OSError, UserError), whole_file(file_of(stage)) as partial:
        partial.write_text(f"{now}\n{text}", encoding="utf-8")


def file_of(stage: str) -> Path:
    """What settings and code were, in a line, and what was found of them."""
    return cache_dir() / "inputs" / stage
