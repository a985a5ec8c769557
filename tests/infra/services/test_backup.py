"""What is refused before anything is stopped, and a database's content in the place of another's."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from infra.services import backup, env_file, postgres
from infra.services.backup import BackupError
from infra.services.health import wait_until
from infra.services.programs import HOME
from pipelines.project import ROOT
from tests.ports import free_run
from tests.postgres import let_through

PARTS = ("mlflow.dump", "prefect.dump")
BUCKETS = ("team-a-data", "team-a-models", "team-a-samples")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a backup's parts, each empty."""
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / ".env").write_text("BUCKETS=team-a\n")
    for part in PARTS:
        (folder / part).touch()
    for bucket in BUCKETS:
        (folder / f"{bucket}.tar").touch()
    return folder


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(root: Path) -> None:
        raise AssertionError("started")

    monkeypatch.setattr(backup, "start", start)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("part", PARTS)
def test_half_a_backup_is_refused_before_anything_is_touched(saved: Path, tmp_path: Path, part: str) -> None:
    (saved / part).unlink()
    (saved / "team-a-models.tar").unlink()
    with pytest.raises(BackupError, match=f"saved is no backup: it has no {part}, team-a-models.tar"):
        backup.restore(tmp_path, saved)
    assert not (tmp_path / ".env").exists()


@pytest.mark.usefixtures("untouched")
def test_a_backup_of_other_buckets_is_refused(saved: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BUCKETS=team-b\n")
    with pytest.raises(BackupError, match=r"\.env: BUCKETS: is team-b, must be team-a, as in .*saved/\.env"):
        backup.restore(tmp_path, saved)


@pytest.mark.parametrize(("command", "variable"), [("save", "TO"), ("restore", "FROM")])
def test_without_a_folder_the_variable_is_named(command: str, variable: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.services", command, ""], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"make services-{command} {variable}=FOLDER" in done.stderr


ODD = {
    "f": b"a file",
    "f/g": b"beside a folder of its name",
    "folder/": b"",
    "long/" + "ü" * 200 + "/": b"x",
    "../outside": b"1",
    "a/../../outside": b"2",
    "/absolute": b"3",
    "a//b": b"4",
    "./a": b"5",
}


def test_whatever_a_key_is_it_comes_back_and_nothing_is_written_outside(tmp_path: Path) -> None:
    source, target = Objects(dict(ODD)), Objects({})
    (tmp_path / "backup").mkdir()
    backup.download(source, "bucket", backup.archive(tmp_path / "backup", "bucket"))
    backup.upload(target, tmp_path / "backup", "bucket")
    assert target.content == ODD
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["bucket.tar"]


def test_a_backup_of_before_has_its_objects_as_files(tmp_path: Path) -> None:
    (tmp_path / "bucket" / "f").mkdir(parents=True)
    (tmp_path / "bucket" / "f" / "g").write_bytes(b"1")
    target = Objects({})
    backup.upload(target, tmp_path, "bucket")
    assert target.content == {"f/g": b"1"}


@dataclass
class Objects:
    """A store that lists whatever keys it was given, as some do: SeaweedFS takes no `..`."""

    content: dict[str, bytes]

    def get_paginator(self, _: str) -> "Objects":
        return self

    def paginate(self, Bucket: str) -> list[dict[str, list[dict[str, str]]]]:
        return [{"Contents": [{"Key": key} for key in self.content]}]

    def download_fileobj(self, bucket: str, key: str, stream: IO[bytes]) -> None:
        stream.write(self.content[key])

    def upload_fileobj(self, stream: IO[bytes], bucket: str, key: str) -> None:
        self.content[key] = stream.read()

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.content[key] = Path(path).read_bytes()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of a running cluster with the services' databases."""
    try:
        postgres.binaries()
    except postgres.PostgresError as error:
        pytest.skip(str(error))
    let_through(tmp_path)
    (tmp_path / ".env").write_text(f"POSTGRES_PORT={free_run(1)}\n")
    chosen = env_file.settings(tmp_path)
    cluster = tmp_path / HOME / "postgres"
    postgres.make_cluster(cluster, chosen["POSTGRES_PASSWORD"])
    server = subprocess.Popen(
        postgres.command(cluster, chosen["POSTGRES_PORT"]),
        user=postgres.user(),
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: postgres.answers(chosen), 60)
        postgres.set_up_databases(chosen)
        yield chosen
    finally:
        server.terminate()
        server.wait(30)


def test_what_is_restored_has_nothing_of_what_was_there(settings: dict[str, str], tmp_path: Path) -> None:
    told(settings, "CREATE TABLE runs AS SELECT 1 AS id")
    dump = tmp_path / "mlflow.dump"
    backup.run(tmp_path, settings, "pg_dump", "--format=custom", f"--file={dump}", "--dbname=mlflow")
    told(settings, "CREATE TABLE newer (id int); INSERT INTO runs VALUES (2)")

    with postgres.empty_database(settings, "mlflow") as database:
        backup.run(tmp_path, settings, "pg_restore", "--single-transaction", f"--dbname={database}", str(dump))
        postgres.replace_database(settings, "mlflow")

    tables = "SELECT tablename || ' of ' || tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert told(settings, tables) == ["runs of mlflow"]
    assert told(settings, "SELECT id FROM runs") == [1]
    assert told(settings, "SELECT count(*) FROM pg_database WHERE datname LIKE '%restored'") == [0]


def test_a_dump_that_cannot_be_read_leaves_the_database_as_it_is(settings: dict[str, str], tmp_path: Path) -> None:
    told(settings, "CREATE TABLE runs AS SELECT 1 AS id")
    (tmp_path / "mlflow.dump").write_text("no dump")
    with pytest.raises(BackupError, match="pg_restore"), postgres.empty_database(settings, "mlflow") as database:
        backup.run(tmp_path, settings, "pg_restore", f"--dbname={database}", str(tmp_path / "mlflow.dump"))
    assert told(settings, "SELECT id FROM runs") == [1]
    assert told(settings, "SELECT count(*) FROM pg_database WHERE datname LIKE '%restored'") == [0]


def told(settings: dict[str, str], statement: str) -> list[object]:
    """The first column of what MLflow's database says to its owner."""
    import psycopg2

    connection = psycopg2.connect(postgres.uri("mlflow", settings, "postgresql"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []
    finally:
        connection.close()
