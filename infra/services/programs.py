"""The services as programs: what supervisord is to run, and with what around it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from infra.services import postgres, seaweedfs
from infra.services.buckets import name
from infra.services.env_file import FILE, MLFLOW_ADMIN
from infra.services.ports import HOST

POOL = "pipeline"
QUEUES = ("cpu", "gpu")
CHECKOUT_VARIABLE = "PIPELINE_CHECKOUT"


@dataclass(frozen=True)
class Program:
    """One of supervisord's.

    Attributes:
        environment: over supervisord's own.
        user: None is ours.
        stop_seconds: between being asked to stop and being killed.
        group: whether its children are asked too.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 30
    group: bool = True


def programs(root: Path, home: Path, settings: Mapping[str, str]) -> list[Program]:
    """In the order in which they need each other."""
    return [
        Program(
            "postgres",
            postgres.command(home / "postgres", settings["POSTGRES_PORT"]),
            user=postgres.user(),
            stop_signal="INT",  # to PostgreSQL: end the sessions, not wait for them
            group=False,
        ),
        Program("s3", seaweedfs.command(home / "s3", settings), stop_seconds=60),
        *(with_env_file(root, program) for program in (mlflow(settings, home), prefect(settings, home), worker(root))),
    ]


def with_env_file(root: Path, program: Program) -> Program:
    """With .env as it is when the program starts: S3's keys come into it after supervisord's start."""
    return replace(program, command=[installed("dotenv"), "-f", str(root / FILE), "run", "--", *program.command])


def installed(command: str) -> str:
    return str(Path(sys.executable).parent / command)


def mlflow(settings: Mapping[str, str], home: Path) -> Program:
    port = settings["MLFLOW_PORT"]
    command = [
        installed("mlflow"), "server", "--host", HOST, "--port", port, "--workers", "2",
        "--allowed-hosts", f"localhost:{port},{HOST}:{port}",
        "--cors-allowed-origins", f"http://localhost:{port},http://{HOST}:{port}",
        "--artifacts-destination", f"s3://{name(settings['BUCKETS'], 'models')}",
    ]  # fmt: skip
    environment = {
        "MLFLOW_BACKEND_STORE_URI": postgres.uri("mlflow", settings),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of language models: four processes for nothing here
    }
    if settings["MLFLOW_AUTH"] == "on":
        command += ["--app-name", "basic-auth"]
        environment |= {
            "MLFLOW_AUTH_CONFIG_PATH": str(home / MLFLOW_AUTH_FILE),
            "MLFLOW_AUTH_ADMIN_USERNAME": MLFLOW_ADMIN,
        }
    return Program("mlflow", command, environment)


MLFLOW_AUTH_FILE = "mlflow-auth.ini"


def mlflow_auth(settings: Mapping[str, str]) -> str:
    """The file in which MLflow looks for its users' database."""
    return (
        "[mlflow]\n"
        "default_permission = READ\n"
        f"database_uri = {postgres.uri('mlflow', settings)}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )


def prefect(settings: Mapping[str, str], home: Path) -> Program:
    return Program(
        "prefect",
        [installed("prefect"), "server", "start", "--host", HOST, "--port", settings["PREFECT_PORT"]],
        {
            "PREFECT_API_DATABASE_CONNECTION_URL": postgres.uri("prefect", settings, "postgresql+asyncpg"),
            "PREFECT_SERVER_UI_API_URL": "/api",  # else the page looks for it at port 4200
            "PREFECT_HOME": str(home / "prefect"),
        },
    )


def worker(root: Path) -> Program:
    """It runs what is deployed, in this checkout's environment; a run's own processes are its to end."""
    queues = [argument for queue in QUEUES for argument in ("--work-queue", queue)]
    return Program(
        "worker",
        [installed("prefect"), "worker", "start", "--pool", POOL, "--type", "process", *queues],
        {CHECKOUT_VARIABLE: str(root)},
        stop_seconds=60,
        group=False,
    )
