"""PostgreSQL in pytest's folders."""

from pathlib import Path

from infra.services import postgres

LEVELS = 3
"""Above a test's folder: pytest's own, and one more for a process of pytest-xdist."""


def let_through(folder: Path) -> None:
    """pytest's folders are their owner's alone, and where root runs the tests PostgreSQL is another user's."""
    if postgres.user() is not None:
        for place in (folder, *list(folder.parents)[:LEVELS]):
            place.chmod(place.stat().st_mode | 0o011)
