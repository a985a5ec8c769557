"""`python infra/relocatable.py .venv/bin`: let an environment's programs find its Python, and each other, beside them.

pip writes into each program where the environment was when it was made: after a checkout is moved, none of them starts.
And programs that start others by name, as DVC's queue and MLflow's server do, need the folder on their PATH.
"""

import re
import sys
from pathlib import Path

# For a shell a command; for Python a string that nobody uses, and then the program.
HEAD = b"""#!/bin/sh
'''exec' env "PATH=$(dirname "$(realpath "$0")"):$PATH" "$(dirname "$(realpath "$0")")/python" "$0" "$@"
' '''
"""
# What pip writes: the interpreter's path, or, where that is long or has a space, a shell's command with it.
WRITTEN_BY_PIP = re.compile(
    rb"#!\S+/bin/python[\d.]*\n"
    rb"|#!/bin/sh\n'''exec' \"?/.+/bin/python[\d.]*\"? \"\$0\" \"\$@\"\n' '''\n"
)


def relocate(folder: Path) -> None:
    """Give every program of Python's in `folder` that head; others stay as they are."""
    for program in folder.iterdir():
        if program.is_symlink() or not program.is_file():
            continue
        content = program.read_bytes()
        if found := WRITTEN_BY_PIP.match(content):
            partial = program.with_name(f".{program.name}.partial")
            partial.write_bytes(HEAD + content[found.end() :])
            partial.chmod(program.stat().st_mode)
            partial.replace(program)


if __name__ == "__main__":
    relocate(Path(sys.argv[1]))
