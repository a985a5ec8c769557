"""Back up what the services keep, and restore it.

A backup is a folder: a dump of each database, a tar file of each bucket's objects, and .env. It is taken while the
services run, the databases first: what they name is in the buckets by then. The versions that a bucket keeps of an
object are not part of it, the newest alone is.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fm.errors import UserError
from infra.services import buckets, env_file, postgres
from infra.services.control import start, stop_worker
from infra.services.programs import HOME
from infra.services.supervisor import Supervisor
from pipelines.project import whole_folder

MLFLOW_PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"
KEY = "S3.key"


class BackupError(UserError):
    """There is nothing to back up or restore, or a program of PostgreSQL's fails."""


def save(root: Path, folder: Path) -> None:
    """Write a backup to `folder`, which must not exist; it appears whole or not at all, for its owner alone.

    Raises:
        BackupError: the folder exists, the services do not run, or PostgreSQL refuses.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists: name a new folder")
    settings = require_running(root)
    with whole_folder(folder) as target:
        target.chmod(0o700)
        for service in postgres.SERVICES:
            run(root, settings, "pg_dump", "--format=custom", f"--file={dump(target, service)}", f"--dbname={service}")
        for bucket in buckets.names(settings["BUCKETS"]):
            download(store(settings), bucket, archive(target, bucket))
        (target / env_file.FILE).touch(mode=0o600)
        (target / env_file.FILE).write_bytes((root / env_file.FILE).read_bytes())
    print(f"saved in {folder}; it has the credentials too")


def restore(root: Path, folder: Path) -> None:
    """Bring back a backup, in the place of what the services have now; they are started if they do not run.

    Nothing is replaced before everything is there: what fails leaves the databases as they are.

    Raises:
        BackupError: the folder is no backup, or one with other buckets, or PostgreSQL refuses.
    """
    prefix = require_backup(folder)
    require_same_buckets(root, folder, prefix)
    if not (root / env_file.FILE).exists():
        shutil.copy2(folder / env_file.FILE, root / env_file.FILE)
    start(root)
    settings = require_running(root)
    with ExitStack() as stack:
        for service in postgres.SERVICES:
            database = stack.enter_context(postgres.empty_database(settings, service))
            run(root, settings, "pg_restore", "--single-transaction", f"--dbname={database}", dump(folder, service))
        for bucket in buckets.names(prefix):
            upload(store(settings), folder, bucket)
        stop_users(root)
        for service in postgres.SERVICES:
            postgres.replace_database(settings, service)
    take_mlflow_password(root, folder)
    start(root)
    print(f"restored from {folder}")


def require_backup(folder: Path) -> str:
    """What the names of a backup's buckets begin with. Raises BackupError: it is no backup, or not all of one."""
    prefix = prefix_of(folder)
    dumps = [f"{service}.dump" for service in postgres.SERVICES]
    # One of before has the objects as files in a folder.
    tars = [archive(folder, bucket).name for bucket in buckets.names(prefix) if not (folder / bucket).exists()]
    if missing := [name for name in (str(env_file.FILE), *dumps, *tars) if not (folder / name).exists()]:
        raise BackupError(f"{folder} is no backup: it has no {', '.join(missing)}")
    return prefix


def require_same_buckets(root: Path, folder: Path, prefix: str) -> None:
    """Raise BackupError unless the services' buckets are those of the backup, whose databases name them."""
    if (root / env_file.FILE).exists() and (present := prefix_of(root)) != prefix:
        raise BackupError(
            f"{root / env_file.FILE}: BUCKETS: is {present}, must be {prefix}, as in {folder / env_file.FILE}"
        )


def prefix_of(folder: Path) -> str:
    """BUCKETS in a folder's .env, or what it is unless it is chosen."""
    return env_file.read(folder).get("BUCKETS") or env_file.SETTINGS["BUCKETS"]()


def stop_users(root: Path) -> None:
    """Stop what uses the databases."""
    supervisor = Supervisor(root / HOME)
    stop_worker(root, supervisor)
    for program in ("prefect", "mlflow"):
        supervisor.stop_program(program)


def take_mlflow_password(root: Path, folder: Path) -> None:
    """MLflow keeps its administrator in the database: his password is the backup's now."""
    known = env_file.settings(root)
    password = env_file.read(folder).get(MLFLOW_PASSWORD, known[MLFLOW_PASSWORD])
    env_file.write(root, known | {MLFLOW_PASSWORD: password}, env_file.s3_keys(env_file.read(root)))


def dump(folder: Path, service: str) -> str:
    return str(folder / f"{service}.dump")


def require_running(root: Path) -> dict[str, str]:
    settings = env_file.read(root)
    if not settings or not Supervisor(root / HOME).is_up():
        raise BackupError("the services are not running: `make services` starts them")
    return settings


def run(root: Path, settings: Mapping[str, str], program: str, *arguments: str) -> None:
    """Run a program of the cluster's version. Raises BackupError with what it says if it fails."""
    command = [
        str(postgres.binaries_of(root / HOME / "postgres") / program), *arguments,
        "--host=127.0.0.1", f"--port={settings['POSTGRES_PORT']}", f"--username={postgres.ADMIN}", "--no-password",
    ]  # fmt: skip
    surroundings = {**os.environ, "PGPASSWORD": settings["POSTGRES_PASSWORD"]}
    done = subprocess.run(
        command, env=surroundings, capture_output=True, check=False, encoding="utf-8", errors="replace"
    )
    if done.returncode != 0:
        raise BackupError(f"{program}: {done.stderr.strip()}")


def store(settings: Mapping[str, str]) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        region_name=buckets.REGION,
    )


def archive(folder: Path, bucket: str) -> Path:
    return folder / f"{bucket}.tar"


def download(s3: Any, bucket: str, target: Path) -> None:
    """Write a bucket's objects to a tar file: any key can be a name in it, and none leads out of it."""
    with tarfile.open(target, "w", encoding="utf-8") as tar:
        for key in keys(s3, bucket):
            with tempfile.TemporaryFile() as content:
                s3.download_fileobj(bucket, key, content)
                member = tarfile.TarInfo(key)
                member.size = content.tell()
                member.pax_headers = {KEY: key}  # of a name a slash at the end is lost
                content.seek(0)
                tar.addfile(member, content)


def keys(s3: Any, bucket: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from (found["Key"] for found in page.get("Contents", []))


def upload(s3: Any, folder: Path, bucket: str) -> None:
    """Put what a backup has of a bucket there."""
    for path in sorted((folder / bucket).rglob("*")):  # a backup of before
        if path.is_file():
            s3.upload_file(str(path), bucket, path.relative_to(folder / bucket).as_posix())
    if archive(folder, bucket).exists():
        with tarfile.open(archive(folder, bucket)) as tar:
            for member in tar:
                s3.upload_fileobj(tar.extractfile(member), bucket, member.pax_headers[KEY])
