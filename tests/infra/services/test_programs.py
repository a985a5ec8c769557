"""A service's program, as it is become."""

import socket
import subprocess
import sys
from pathlib import Path

from infra.services import programs

ASK = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
BECOME = """
import sys
from pathlib import Path
from infra.services import programs

programs.SERVERS["asking"] = lambda root, settings: programs.Program([sys.executable, "-c", sys.argv[2]])
programs.run(Path(sys.argv[1]), "asking")
"""


WORKER = """\
PREFECT_API_URL=https://prefect.example/api
MLFLOW_TRACKING_URI=https://mlflow.example
AWS_ENDPOINT_URL=https://s3.example
AWS_DEFAULT_REGION=us-east-1
AWS_ACCESS_KEY_ID=AKIA1
AWS_SECRET_ACCESS_KEY=secret
"""
BECOME_WORKER = """
import sys
from pathlib import Path
from infra.services import programs

ask = "import os; print(os.environ['PREFECT_API_URL'])"
programs.WORKERS["worker"] = lambda root: programs.Program([sys.executable, "-c", ask])
programs.run(Path(sys.argv[1]), "worker")
"""


def test_a_worker_of_another_machine_leaves_its_file_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(WORKER)
    command = [sys.executable, "-c", BECOME_WORKER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "https://prefect.example/api\n", done.stderr
    assert (tmp_path / ".env").read_text() == WORKER


def test_a_worker_is_named_after_its_machine_and_checkout(tmp_path: Path) -> None:
    name = programs.worker_name(tmp_path)
    assert socket.gethostname() in name
    assert name != programs.worker_name(tmp_path / "another")
    command = programs.WORKERS["worker"](tmp_path).command
    assert command[command.index("--name") + 1] == name


def test_a_program_started_in_a_shell_s_background_can_be_interrupted(tmp_path: Path) -> None:
    """A script's `&` makes what it starts ignore SIGINT, by which a Prefect worker ends itself on SIGTERM."""
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [*ignoring, sys.executable, "-c", BECOME, str(tmp_path), ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "True\n", done.stderr
