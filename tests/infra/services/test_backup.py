"""What is refused before anything is stopped, and a database's content in the place of another's."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
        (folder / bucket).mkdir()
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
    (saved / "team-a-models").rmdir()
    with pytest.raises(BackupError, match=f"saved is no backup: it has no {part}, team-a-models"):
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
