"""A checkout that was moved or copied with its own MLflow store.

MLflow keeps absolute addresses of pictures and models, and takes no others. Whenever the store is opened they are held
against where it lies; `python -m pipelines.records.moved_store mlflow.db` does that alone, for MLflow's own pages.
"""

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import url2pathname

FOLDER = "mlruns"
"""Beside the database: where its experiments keep their files (pipelines.records.mlflow_store.experiment_id)."""
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def mend(database: Path) -> None:
    """Turn addresses of the place where a store was into those of the place where it is; others stay."""
    here = database.absolute().parent / FOLDER
    try:
        with closing(sqlite3.connect(database, timeout=60)) as store, store:
            for former in list(former_places(store, here)):
                move(store, former, here.as_uri())
                print(
                    f"{database}: was at {former.removesuffix(f'/{FOLDER}')}; its files are found here now", flush=True
                )
    except sqlite3.OperationalError:
        return  # somebody has it locked: the next start will do


def former_places(store: sqlite3.Connection, here: Path) -> Iterator[str]:
    """Addresses of folders called mlruns elsewhere whose runs' files lie here, or that are gone."""
    for (address,) in store.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall():
        if address == here.as_uri() or not address.startswith("file:///") or not address.endswith(f"/{FOLDER}"):
            continue
        runs = store.execute("SELECT run_uuid FROM runs WHERE instr(artifact_uri, ?) = 1", [f"{address}/"]).fetchall()
        gone = not Path(url2pathname(address.removeprefix("file://"))).exists()
        if gone or any((here / run_id).exists() for (run_id,) in runs):
            yield address


def move(store: sqlite3.Connection, former: str, now: str) -> None:
    for table, column in ADDRESSES:
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR instr({column}, ?) = 1",
            [now, len(former) + 1, former, f"{former}/"],
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.records.moved_store", description=__doc__)
    parser.add_argument("database", type=Path, help="the store's SQLite file; nothing happens where there is none")
    database: Path = parser.parse_args().database
    if database.exists():
        mend(database)


if __name__ == "__main__":
    main()
