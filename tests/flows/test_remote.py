"""Which remote runs go through, by real git."""

import subprocess
from pathlib import Path

import pytest

from flows import remote


def git(where: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("known", "chosen", "expected"),
    [
        ([], None, None),
        (["upstream"], None, "upstream"),
        (["backup", "origin", "upstream"], None, "origin"),
        (["origin", "team"], "team", "team"),
        (["origin", "team"], "https://elsewhere.example/x.git", "origin"),
    ],
    ids=["none", "the only one", "origin", "git's own setting", "a setting that is no remote"],
)
def test_one_remote_of_all(tmp_path: Path, known: list[str], chosen: str | None, expected: str | None) -> None:
    git(tmp_path, "init", "-q")
    for one in known:
        git(tmp_path, "remote", "add", one, str(tmp_path / one))
    if chosen:
        git(tmp_path, "config", "remote.pushDefault", chosen)
    assert remote.name(tmp_path) == expected
