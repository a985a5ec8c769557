"""What is registered, by MLflow's database where that is a file here: MLflow itself takes seconds to import."""

import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass

from pipelines.records.mlflow_store import database_file, uri

VERSIONS = """
SELECT version, key, value FROM model_version_tags JOIN model_versions USING (name, version)
WHERE name = ? AND current_stage != 'Deleted_Internal'
"""
ALIASES = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"


@dataclass(frozen=True)
class Registered:
    """A registered model.

    Attributes:
        versions: number -> tags.
        aliases: alias -> a version's number.
    """

    versions: dict[str, dict[str, str]]
    aliases: dict[str, str]


def registered(name: str) -> Registered | None:
    """None where the store is a server, or no database that can be read so: then MLflow has to be asked."""
    database = database_file(uri())
    if database is None:
        return None
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as store:
            tags = store.execute(VERSIONS, [name]).fetchall()
            aliases = store.execute(ALIASES, [name]).fetchall()
    except sqlite3.Error:
        return None
    versions: dict[str, dict[str, str]] = defaultdict(dict)
    for version, key, value in tags:
        versions[str(version)][key] = value
    return Registered(dict(versions), {alias: str(version) for alias, version in aliases})
