"""A service's program, as it is become."""

import socket
import stat
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
PREFECT_API_AUTH_STRING=admin:one
MLFLOW_TRACKING_URI=https://mlflow.example
MLFLOW_TRACKING_USERNAME=admin
MLFLOW_TRACKING_PASSWORD=two
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
    (tmp_path / ".env").touch(mode=0o600)
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


def test_what_a_service_writes_is_for_its_user_alone(tmp_path: Path) -> None:
    """Whatever the umask of who starts it: a container's is its own."""
    write = f"open({str(tmp_path / 'kept')!r}, 'w')"
    command = [sys.executable, "-c", BECOME, str(tmp_path), write]
    subprocess.run(command, check=True, timeout=60, umask=0)
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600


def test_a_program_started_in_a_shell_s_background_can_be_interrupted(tmp_path: Path) -> None:
    """A script's `&` makes what it starts ignore SIGINT, by which a Prefect worker ends itself on SIGTERM."""
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [*ignoring, sys.executable, "-c", BECOME, str(tmp_path), ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "True\n", done.stderr
