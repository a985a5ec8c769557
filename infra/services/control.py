"""Start the services, say how they are, stop them."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from infra.services import buckets, deployments, env_file, health, leftovers, postgres, programs, runs, seaweedfs
from infra.services.ports import HOST, require_free
from infra.services.programs import HOME
from infra.services.supervisor import Supervised, Supervisor
from pipelines.records.mlflow_store import TRAINING_VIEW

START_SECONDS = 180
LAST_LINES = 15


def supervised() -> list[Supervised]:
    """The services in the order in which they need each other. They are stopped in the reverse."""
    return [
        Supervised("postgres", ours("postgres"), stop_signal="INT", group=False),  # INT: don't wait for sessions to end
        Supervised("s3", ours("s3"), stop_seconds=60),
        Supervised("mlflow", ours("mlflow")),
        Supervised("prefect", ours("prefect")),
        Supervised("worker", ours("worker"), stop_seconds=60, group=False),
    ]


def ours(service: str) -> list[str]:
    return [sys.executable, "-m", "infra.services", "run", service]


def start(root: Path) -> None:
    """Start what does not run yet, one after the other, each when those before it answer and are set up."""
    settings = env_file.settings(root)
    supervisor = Supervisor(root / HOME)
    if not supervisor.is_up():
        leftovers.end(root, programs.LEAVING_CHILDREN)
        require_free(ports(settings))
        env_file.write(root, settings, env_file.s3_keys(env_file.read(root)))  # a port may be another now
        prepare(root / HOME, settings)
        supervisor.start(supervised(), root)
    before: dict[str, Callable[[], None]] = {
        "mlflow": lambda: set_up_stores(root, settings),
        "worker": lambda: deployments.set_up(root, env_file.around(root)),
    }
    for one in supervised():
        before.get(one.name, lambda: None)()
        bring_up(supervisor, one.name, partial(is_healthy, root, supervisor, one.name))
    print(where_to_look(root))


def bring_up(supervisor: Supervisor, name: str, answers: Callable[[], bool]) -> None:
    print(f"{name} ... ", end="", flush=True)
    supervisor.start_program(name)
    if not health.wait_until(answers, START_SECONDS):
        last = supervisor.log(name).read_text(errors="replace", encoding="utf-8").splitlines()[-LAST_LINES:]
        raise health.NotHealthy("\n    ".join([f"no answer; {supervisor.log(name)} ends with", *last]))
    print("answers", flush=True)


def is_healthy(root: Path, supervisor: Supervisor, name: str) -> bool:
    """Whether a service of this checkout, not another's, runs and answers now, as those who use it ask."""
    since = supervisor.since(name)
    if since is None:
        return False
    settings = env_file.read(root)
    if name == "worker":
        return health.hears_of(settings, programs.worker_name(root), since)
    return health.CHECKS[name](settings)


def ports(settings: Mapping[str, str]) -> dict[str, list[int]]:
    single = [name for name in env_file.SETTINGS if name.endswith("_PORT")]
    return {name: [int(settings[name])] for name in single} | {"S3_INTERNAL_PORTS": seaweedfs.internal_ports(settings)}


def prepare(home: Path, settings: Mapping[str, str]) -> None:
    """What must lie there before the programs start."""
    home.mkdir(mode=0o755, exist_ok=True)  # PostgreSQL's user has to reach its own folder
    postgres.make_cluster(home / "postgres", settings["POSTGRES_PASSWORD"])


def set_up_stores(root: Path, settings: Mapping[str, str]) -> None:
    """Databases, buckets and keys, before the first who needs them starts."""
    import boto3

    postgres.set_up_databases(settings)
    administrator = boto3.Session(
        settings["S3_ADMIN_ACCESS_KEY_ID"], settings["S3_ADMIN_SECRET_ACCESS_KEY"], region_name=buckets.REGION
    )
    known = env_file.s3_keys(env_file.read(root))
    made = buckets.set_up(administrator, settings["BUCKETS"], known, f"http://{HOST}:{settings['S3_PORT']}")
    env_file.write(root, settings, made)
    deployments.set_up_remote(root, buckets.name(settings["BUCKETS"], "data"))


def status(root: Path) -> bool:
    """Print what runs and what answers; whether all do."""
    supervisor = Supervisor(root / HOME)
    if not env_file.read(root) or not supervisor.is_up():
        print("The services are not running: `make services` starts them.")
        return False
    states = supervisor.states()
    answering = {one.name: is_healthy(root, supervisor, one.name) for one in supervised()}
    for name, does in answering.items():
        print(f"{name:10}{'answers' if does else 'no answer':12}{states.get(name, '')}")
    print(where_to_look(root))
    return all(answering.values())


def stop(root: Path) -> None:
    supervisor = Supervisor(root / HOME)
    if not supervisor.is_up():
        left = leftovers.end(root, programs.LEAVING_CHILDREN)
        ended = f" Ended what a kill had left of {' and '.join(left)}." if left else ""
        print(f"The services are not running.{ended}")
        return
    print("stopping; a run that is under way is stopped with its checkpoint saved", flush=True)
    stop_worker(root, supervisor)
    supervisor.stop()
    leftovers.end(root, programs.LEAVING_CHILDREN)
    print(f"Stopped. What they keep lies in {HOME}: `make services` finds it again.")


def stop_worker(root: Path, supervisor: Supervisor) -> None:
    """End the runs, then the worker: it kills those that it still has, who then neither clean up nor report."""
    runs.end(root)
    supervisor.stop_program("worker")
    runs.end(root)  # one that it took at the last moment


def where_to_look(root: Path) -> str:
    known = env_file.read(root)
    return (
        f"\nMLflow   {known['MLFLOW_TRACKING_URI']}/#/experiments?{TRAINING_VIEW}\n"
        f"Prefect  {known['PREFECT_API_URL'].removesuffix('/api')}\n"
        f"S3       {known['AWS_ENDPOINT_URL']}\n"
        f"Logs     {HOME / 'logs'}\n"
        f"Logins   {env_file.FILE}: MLFLOW_TRACKING_USERNAME and _PASSWORD; PREFECT_API_AUTH_STRING\n"
        "A shell that uses them:  set -a; . ./.env; set +a"
    )
