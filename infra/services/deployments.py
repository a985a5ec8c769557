"""What Prefect and DVC have to be told once: the work pool, its queues, the deployments, and where the data go."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from fm.errors import UserError
from infra.services.programs import POOL, QUEUES

REMOTE = "storage"


class SetUpError(UserError):
    """Prefect or DVC refuses; the message is its own."""


def set_up(root: Path, environment: Mapping[str, str]) -> None:
    """The work pool and its queues, every deployment of prefect.yaml, and when a run is lost; what is there is brought
    up to date."""
    tell(root, environment, "prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite")
    for queue in QUEUES:
        known = ask(root, environment, "prefect", "work-queue", "inspect", queue, "--pool", POOL)
        if known.returncode != 0:
            tell(root, environment, "prefect", "work-queue", "create", queue, "--pool", POOL)
    tell(root, environment, "prefect", "--no-prompt", "deploy", "--all")
    from infra.services import prefect_rules

    prefect_rules.forget_deployments(environment)
    prefect_rules.find_lost_runs(environment)


def set_up_remote(root: Path, bucket: str) -> None:
    """DVC's remote, in this checkout's own configuration: where it lies and its keys are in the environment."""
    tell(root, None, "dvc", "remote", "add", "--local", "--force", "--default", REMOTE, f"s3://{bucket}/dvc")


def tell(root: Path, environment: Mapping[str, str] | None, *command: str) -> None:
    done = ask(root, environment, *command)
    if done.returncode != 0:
        raise SetUpError(f"{' '.join(command)}: {(done.stderr.strip() or done.stdout.strip())}")


def ask(root: Path, environment: Mapping[str, str] | None, *command: str) -> "subprocess.CompletedProcess[str]":
    program, *arguments = command
    return subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        cwd=root,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
