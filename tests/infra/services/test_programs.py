"""A service's program, as it is become."""

import subprocess
import sys
from pathlib import Path

ASK = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
BECOME = """
import sys
from pathlib import Path
from infra.services import programs

programs.PROGRAMS["asking"] = lambda root, settings: programs.Program([sys.executable, "-c", sys.argv[2]])
programs.run(Path(sys.argv[1]), "asking")
"""


def test_a_program_started_in_a_shell_s_background_can_be_interrupted(tmp_path: Path) -> None:
    """A script's `&` makes what it starts ignore SIGINT, by which a Prefect worker ends itself on SIGTERM."""
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [*ignoring, sys.executable, "-c", BECOME, str(tmp_path), ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "True\n", done.stderr
