"""The services as programs: what is to run, with what around it."""

import hashlib
import os
import pwd
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.services import env_file, leftovers, postgres, seaweedfs
from infra.services.buckets import name
from infra.services.env_file import HEARTBEAT, HEARTBEAT_SECONDS
from infra.services.ports import HOST
from pipelines.project import whole_file

HOME = Path(".services")
POOL = "pipeline"
QUEUES = ("cpu", "gpu")
CHECKOUT_VARIABLE = "PIPELINE_CHECKOUT"
MLFLOW_AUTH_FILE = "mlflow-auth.ini"
LOGIN_SECONDS = 60  # that MLflow remembers a login: to check one takes it longer than most answers


@dataclass(frozen=True)
class Program:
    """What a service runs.

    Attributes:
        environment: over this process's and .env.
        user: None is ours.
    """

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


def run(root: Path, service: str) -> None:
    """Become a service's program, with .env as it is now. It does not come back.

    Raises:
        EnvFileError, PortError: a value in .env cannot be, or one that a worker needs is missing.
    """
    if service in WORKERS:
        program, around = WORKERS[service](root), env_file.around_worker(root)
    else:
        program, around = SERVERS[service](root, env_file.settings(root)), env_file.around(root)
        if service in LEAVING_CHILDREN:
            leftovers.end(root, [service])
            around = {**around, **leftovers.mark(root, service)}
    surroundings = {**around, **program.environment}
    os.umask(0o077)  # what it writes is for its user alone
    if program.user is not None:
        become(program.user)
    # A script's `&` makes what it starts ignore it, and a Prefect worker that is told to end interrupts itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execve(program.command[0], program.command, surroundings)


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def run_postgres(root: Path, settings: Mapping[str, str]) -> Program:
    return Program(postgres.command(root / HOME / "postgres", settings["POSTGRES_PORT"]), user=postgres.user())


def run_s3(root: Path, settings: Mapping[str, str]) -> Program:
    folder = root / HOME / "s3"
    seaweedfs.make_folder(folder, settings)
    return Program(seaweedfs.command(folder, settings), seaweedfs.environment(folder))


def run_mlflow(root: Path, settings: Mapping[str, str]) -> Program:
    port = settings["MLFLOW_PORT"]
    command = [
        installed("mlflow"), "server", "--host", HOST, "--port", port, "--workers", "2", "--app-name", "basic-auth",
        "--allowed-hosts", f"localhost:{port},{HOST}:{port}",
        "--cors-allowed-origins", own_origins(port),
        "--artifacts-destination", f"s3://{name(settings['BUCKETS'], 'models')}",
    ]  # fmt: skip
    environment = {
        "MLFLOW_BACKEND_STORE_URI": postgres.uri("mlflow", settings),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of language models: four processes for nothing here
        "MLFLOW_AUTH_CONFIG_PATH": str(write_mlflow_auth(root / HOME, settings)),
        "MLFLOW_AUTH_ADMIN_USERNAME": env_file.ADMIN,
    }
    return Program(command, environment)


def own_origins(port: str) -> str:
    """Whose pages may ask: a service's own alone, by either name of this machine."""
    return f"http://localhost:{port},http://{HOST}:{port}"


def write_mlflow_auth(home: Path, settings: Mapping[str, str]) -> Path:
    """The file in which MLflow looks for its users' database."""
    file = home / MLFLOW_AUTH_FILE
    with whole_file(file) as partial:
        partial.touch(mode=0o600)
        partial.write_text(
            "[mlflow]\n"
            "default_permission = READ\n"
            f"database_uri = {postgres.uri('mlflow', settings)}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            f"auth_cache_ttl_seconds = {LOGIN_SECONDS}\n",
            encoding="utf-8",
        )
    return file


def run_prefect(root: Path, settings: Mapping[str, str]) -> Program:
    return Program(
        [installed("prefect"), "server", "start", "--host", HOST, "--port", settings["PREFECT_PORT"]],
        {
            "PREFECT_SERVER_API_AUTH_STRING": env_file.prefect_login(settings),
            "PREFECT_API_DATABASE_CONNECTION_URL": postgres.uri("prefect", settings, "postgresql+asyncpg"),
            "PREFECT_SERVER_UI_API_URL": "/api",  # else the page looks for it at port 4200
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": own_origins(settings["PREFECT_PORT"]),
            "PREFECT_HOME": str(root / HOME / "prefect"),
        },
    )


def run_worker(root: Path, queue: str, *options: str) -> Program:
    """It runs what is deployed, in this checkout's environment; a run's own processes are the run's to end."""
    return Program(
        [installed("prefect"), "worker", "start", "--pool", POOL, "--type", "process", "--work-queue", queue, *options],
        # A run whose signs of life fail to come is found: infra/services/prefect_rules.py.
        {CHECKOUT_VARIABLE: str(root), HEARTBEAT: str(HEARTBEAT_SECONDS)},
    )


def worker_name(root: Path) -> str:
    """This machine's and checkout's, by which Prefect knows its worker from others'."""
    return f"worker-{socket.gethostname()}-{hashlib.sha256(str(root).encode()).hexdigest()[:6]}"


SERVERS: dict[str, Callable[[Path, Mapping[str, str]], Program]] = {
    "postgres": run_postgres,
    "s3": run_s3,
    "mlflow": run_mlflow,
    "prefect": run_prefect,
}
LEAVING_CHILDREN = ("mlflow", "prefect")
"""Servers whose children outlive a kill -9 and keep the port. PostgreSQL's end by themselves."""
WORKERS: dict[str, Callable[[Path], Program]] = {
    # Pipeline runs mostly wait, and stages wait for the machine's compute slot.
    "worker": lambda root: run_worker(root, "cpu", "--name", worker_name(root)),
    # One stage at a time: another machine's worker takes the next. Without a name: a machine may have several.
    "gpu-worker": lambda root: run_worker(root, "gpu", "--limit", "1"),
}


def installed(command: str) -> str:
    return str(Path(sys.executable).parent / command)
