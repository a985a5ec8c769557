"""PostgreSQL, the system's own: a cluster in .services/postgres, a database and an owner for each service."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fm.errors import UserError

ADMIN = "postgres"
SERVICES = ("mlflow", "prefect")
PLACES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
"""Where Debian and Red Hat keep them, off the path."""
UNPRIVILEGED = ("postgres", "nobody")  # who runs it where root starts it, the first that exists


class PostgresError(UserError):
    """The cluster cannot be made; the message is PostgreSQL's or says what is in the way."""


def binaries(version: str | None = None) -> Path:
    """The folder of PostgreSQL's programs, the newest, or those of a major version.

    Raises:
        PostgresError: there is none.
    """
    found = [folder for pattern in PLACES for folder in Path("/").glob(pattern)]
    if on_path := shutil.which("postgres"):
        found.append(Path(on_path).resolve().parent)
    by_version = {major_version(folder): folder for folder in found if (folder / "postgres").exists()}
    if version is None and by_version:
        return by_version[max(by_version, key=int)]
    if version in by_version:
        return by_version[version]
    raise PostgresError(
        f"PostgreSQL {version or ''} is not installed. Debian, Ubuntu: apt-get install postgresql; "
        "macOS: brew install postgresql"
    )


def major_version(folder: Path) -> str:
    told = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, check=True, encoding="utf-8", errors="replace"
    ).stdout
    return told.split()[2].partition(".")[0]


def user() -> str | None:
    """Who is to run it: PostgreSQL refuses root. None where we are not root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


def binaries_of(cluster: Path) -> Path:
    """The folder of the programs for a cluster, which is its version's alone. Raises PostgresError: there is none."""
    return binaries((cluster / "PG_VERSION").read_text(encoding="utf-8").strip())


def command(folder: Path, port: str) -> list[str]:
    return [
        str(binaries_of(folder) / "postgres"), "-D", str(folder), "-p", port,
        "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
    ]  # fmt: skip


def make_cluster(folder: Path, password: str) -> None:
    """Make the cluster where there is none; it appears whole or not at all."""
    if folder.exists():
        return
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    secret = folder.with_name(".postgres-password.partial")
    try:
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="utf-8")
        owner = user()
        if owner is not None:
            for path in (partial, secret):
                shutil.chown(path, owner)
        initialise(partial, secret, owner)
        partial.rename(folder)
    finally:
        secret.unlink(missing_ok=True)
        shutil.rmtree(partial, ignore_errors=True)


def initialise(folder: Path, secret: Path, owner: str | None) -> None:
    done = subprocess.run(
        [
            str(binaries() / "initdb"), "-D", str(folder), "-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={secret}",
            "--encoding=UTF8", "--locale=C", "--no-instructions",
        ],
        user=owner,
        cwd="/",  # the unprivileged user may not be allowed where we are
        env={"PATH": os.defpath},
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if done.returncode != 0:
        hint = f" As root it runs as the user {owner}, who must be able to reach {folder.parent}." if owner else ""
        raise PostgresError(f"PostgreSQL could not be set up: {done.stderr.strip()}{hint}")


def uri(service: str, settings: Mapping[str, str], driver: str = "postgresql+psycopg2") -> str:
    """Where a service finds its database."""
    password = settings[f"{service.upper()}_DATABASE_PASSWORD"]
    return f"{driver}://{service}:{password}@127.0.0.1:{settings['POSTGRES_PORT']}/{service}"


def answers(settings: Mapping[str, str]) -> bool:
    import psycopg2

    try:
        connect(settings).close()
    except psycopg2.OperationalError as error:
        if "password authentication failed" in str(error):
            raise PostgresError(".env: POSTGRES_PASSWORD: is not the password of the cluster in .services") from None
        return False
    return True


def set_up_databases(settings: Mapping[str, str]) -> None:
    """A database and its owner for each service, with the passwords that .env has now."""
    from psycopg2 import sql

    with administrator(settings) as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")
        if not cursor.fetchone():
            raise PostgresError("PostgreSQL lacks the extension pg_trgm, which Prefect needs: postgresql-contrib")
        for service in SERVICES:
            name, password = sql.Identifier(service), sql.Literal(settings[f"{service.upper()}_DATABASE_PASSWORD"])
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (service,))
            verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
            cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, name, password))
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (service,))
            if not cursor.fetchone():
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))


@contextmanager
def empty_database(settings: Mapping[str, str], service: str) -> Iterator[str]:
    """The name of a database beside a service's, empty and its own too; gone at the end unless it has replaced that."""
    from psycopg2 import sql

    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(beside(service)))
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0")
    with administrator(settings) as cursor:
        cursor.execute(drop)
        cursor.execute(create.format(sql.Identifier(beside(service)), sql.Identifier(service)))
    try:
        yield beside(service)
    finally:
        with administrator(settings) as cursor:
            cursor.execute(drop)


def replace_database(settings: Mapping[str, str], service: str) -> None:
    """Put what `empty_database` made in the place of a service's database."""
    from psycopg2 import sql

    old, new = sql.Identifier(service), sql.Identifier(beside(service))
    with administrator(settings) as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(old))
        cursor.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(new, old))


def beside(service: str) -> str:
    return f"{service}-restored"


@contextmanager
def administrator(settings: Mapping[str, str]) -> Iterator[Any]:
    """A cursor of the administrator's, whose statements hold at once: a database is not made within a transaction."""
    connection = connect(settings)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def connect(settings: Mapping[str, str]) -> Any:
    import psycopg2

    return psycopg2.connect(
        host="127.0.0.1",
        port=settings["POSTGRES_PORT"],
        user=ADMIN,
        password=settings["POSTGRES_PASSWORD"],
        dbname="postgres",
        connect_timeout=5,
    )
