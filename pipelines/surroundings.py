"""What this process and all it starts find in their environment, whoever started it and by what way in."""

import getpass
import io
import os
import sys

import fm  # noqa: F401 (settles how OpenMP's threads wait)
from pipelines.project import ROOT

QUIET = {
    "PREFECT_HOME": str(ROOT / ".prefect"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "DVC_NO_ANALYTICS": "1",
    "GIT_PYTHON_REFRESH": "quiet",
    "KINETO_LOG_LEVEL": "99",  # PyTorch's profiler
}
"""Keeps libraries inside the project and quiet; what the user has set already stands."""

WHICH_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""Git sets them for its hooks and for `rebase --exec`. Each git that is started then means the repository they name,
whatever folder it is started in."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")  # httpx takes no [::1]


def settle() -> None:
    """Set what libraries read, and drop what would mislead the programs that we start."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in WHICH_REPOSITORY:
        os.environ.pop(name, None)
    spare_loopback()
    give_a_name()
    print_anything()


def spare_loopback() -> None:
    """Let no request to this machine go through a proxy; others go on to."""
    named = ",".join(os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    hosts = dict.fromkeys(filter(None, (host.strip() for host in named.split(","))))
    if "*" not in hosts:  # which is understood only by itself
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(hosts | dict.fromkeys(LOOPBACK))


def give_a_name() -> None:
    """Let a user id without a name, as containers have it, be called something: DVC and MLflow ask."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"user-{os.getuid()}"


def print_anything() -> None:
    """Let what the terminal's encoding lacks be printed as `?`: an arrow is no reason to fail after all the work."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
