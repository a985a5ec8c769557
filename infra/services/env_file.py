"""The file .env: ports and credentials of the services, and the variables that a shell needs to use them.

`set -a; . ./.env` is all a shell needs. The file is made on the first start; what is changed in it holds from the next.
"""

import os
import secrets
import shlex
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from fm.errors import UserError
from infra.services.buckets import REGION, Key
from infra.services.ports import HOST, require_port
from pipelines.project import whole_file

FILE = Path(".env")
HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
HEARTBEAT_SECONDS = 30
"""Between a run's signs of life. With Prefect's own 180 s a run would be taken for lost while it goes on."""

HEADER = """\
# Made by `make services`. Keep it to yourself. Values may be changed while the services are stopped.
"""
DERIVED_HEADER = """\

# What programs read: `set -a; . ./.env` is all a shell needs. Made anew on every start.
"""


class EnvFileError(UserError):
    """A value in .env cannot be; the message names it."""


def token() -> str:
    """Fit for addresses, shells and configuration files alike."""
    return secrets.token_hex(24)


# Name -> its value on the first start.
SETTINGS: dict[str, Callable[[], str]] = {
    "POSTGRES_PORT": lambda: "5433",
    "S3_PORT": lambda: "8333",
    "S3_INTERNAL_PORTS": lambda: "9340",
    "MLFLOW_PORT": lambda: "5000",
    "PREFECT_PORT": lambda: "4200",
    "BUCKETS": lambda: "flow-or-diffusion",
    "POSTGRES_PASSWORD": token,
    "MLFLOW_DATABASE_PASSWORD": token,
    "PREFECT_DATABASE_PASSWORD": token,
    "S3_ADMIN_ACCESS_KEY_ID": lambda: f"admin{secrets.token_hex(8)}",
    "S3_ADMIN_SECRET_ACCESS_KEY": token,
    "MLFLOW_AUTH_ADMIN_PASSWORD": token,
    "PREFECT_ADMIN_PASSWORD": token,
    "MLFLOW_FLASK_SERVER_SECRET_KEY": token,
}

FORMER = ("MLFLOW_AUTH",)
"""Settings that an older .env may have and that mean nothing now."""

ADMIN = "admin"
"""Whose the passwords of MLflow and Prefect are."""

# What a worker has to be told, wherever it runs.
WORKERS_NEED = (
    "PREFECT_API_URL",
    "PREFECT_API_AUTH_STRING",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)


# User of the S3 store -> how its key is called here. The store makes the keys itself: infra/services/buckets.py.
S3_USERS = {"training": "AWS", "reader": "S3_READER"}


def settings(root: Path) -> dict[str, str]:
    """The settings and credentials in .env; what it lacks is made, and written at once so that it is never made twice.

    Raises:
        EnvFileError, PortError: a value cannot be.
    """
    found = read(root)
    chosen = {name: found.get(name) or first() for name, first in SETTINGS.items()}
    check(chosen)
    if not SETTINGS.keys() <= found.keys():
        write(root, chosen, s3_keys(found))
    return chosen


def s3_keys(found: Mapping[str, str]) -> dict[str, Key]:
    """The keys of the S3 store's users, those that are there."""
    both = {
        user: (found.get(f"{name}_ACCESS_KEY_ID"), found.get(f"{name}_SECRET_ACCESS_KEY"))
        for user, name in S3_USERS.items()
    }
    return {user: Key(id, secret) for user, (id, secret) in both.items() if id and secret}


def check(chosen: Mapping[str, str]) -> None:
    for name in SETTINGS:
        if name.endswith(("_PORT", "_PORTS")):
            require_port(name, chosen[name])
        elif not chosen[name].replace("-", "").isalnum():
            # They go into shells, addresses and supervisord's configuration, each with its own quoting.
            raise EnvFileError(f"{FILE}: {name}: must be letters, digits and hyphens alone")


def read(root: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(root / FILE).items() if value is not None}


def write(root: Path, chosen: Mapping[str, str], keys: Mapping[str, Key]) -> None:
    """Write .env, readable by its owner alone; the user's own lines are kept as they are."""
    ours = {name: chosen[name] for name in SETTINGS}
    derived = for_programs(chosen, keys)
    own = own_text(root, {*ours, *derived, *FORMER})
    with whole_file(root / FILE) as partial:
        partial.touch(mode=0o600)
        partial.write_text(HEADER + lines(ours) + DERIVED_HEADER + lines(derived) + own, encoding="utf-8")


def lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def own_text(root: Path, ours: Collection[str]) -> str:
    """What stands in .env besides our variables and headers: the user's variables as they are quoted, and comments."""
    if not (root / FILE).exists():
        return ""
    with (root / FILE).open(encoding="utf-8") as stream:
        parts = [part.original.string for part in parse_stream(stream) if part.key not in ours]
    text = "".join(parts).replace(HEADER, "").replace(DERIVED_HEADER, "").strip("\n")
    return f"\n{text}\n" if text else ""


def for_programs(chosen: Mapping[str, str], keys: Mapping[str, Key]) -> dict[str, str]:
    """The variables by which programs find the services."""
    return {
        "PREFECT_API_URL": f"http://{HOST}:{chosen['PREFECT_PORT']}/api",
        "PREFECT_API_AUTH_STRING": prefect_login(chosen),
        HEARTBEAT: str(HEARTBEAT_SECONDS),
        "MLFLOW_TRACKING_URI": f"http://{HOST}:{chosen['MLFLOW_PORT']}",
        "MLFLOW_TRACKING_USERNAME": ADMIN,
        "MLFLOW_TRACKING_PASSWORD": chosen["MLFLOW_AUTH_ADMIN_PASSWORD"],
        "AWS_ENDPOINT_URL": f"http://{HOST}:{chosen['S3_PORT']}",
        "AWS_DEFAULT_REGION": REGION,
        **{f"{S3_USERS[user]}_ACCESS_KEY_ID": key.id for user, key in keys.items()},
        **{f"{S3_USERS[user]}_SECRET_ACCESS_KEY": key.secret for user, key in keys.items()},
    }


def prefect_login(chosen: Mapping[str, str]) -> str:
    """As Prefect's server, its clients and its page's form have it."""
    return f"{ADMIN}:{chosen['PREFECT_ADMIN_PASSWORD']}"


def around(root: Path) -> dict[str, str]:
    """The surroundings of a program that uses the services: this process's own, and .env over them."""
    return {**os.environ, **read(root)}


def around_worker(root: Path) -> dict[str, str]:
    """A worker's surroundings: .env says where it finds services on whatever machine, and is left as it is.

    Raises:
        EnvFileError: a variable is missing, or others can read the file.
    """
    if (root / FILE).exists() and (root / FILE).stat().st_mode & 0o077:
        raise EnvFileError(f"{FILE}: others can read it, and it has keys: chmod 600 {FILE}")
    known = around(root)
    if missing := [name for name in WORKERS_NEED if not known.get(name)]:
        raise EnvFileError(
            f"{FILE}: {', '.join(missing)}: must be there for a worker: where it reaches the services, logins and keys"
        )
    return known
