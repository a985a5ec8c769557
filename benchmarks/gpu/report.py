"""The findings as one file for programs and one for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.gpu.rows import Check, Fault, Figure, Row, Value

Findings = Mapping[str, Sequence[Row]]


def write(folder: Path, findings: Findings, titles: Mapping[str, str]) -> None:
    """`gpu-check.json` and `gpu-check.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {name: [as_json(row) for row in rows] for name, rows in findings.items()}
    (folder / "gpu-check.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "gpu-check.md").write_text(page(findings, titles), encoding="utf-8")


def as_json(row: Row) -> dict[str, Any]:
    verdict = {"holds": row.holds} if isinstance(row, Check) else {}
    return {"kind": type(row).__name__.lower(), **asdict(row), **verdict}


def page(findings: Findings, titles: Mapping[str, str]) -> str:
    parts = [f"# {verdict(findings)}"]
    for name, rows in findings.items():
        parts += [f"## {titles[name]}", *tables(rows)]
    return "\n\n".join(parts) + "\n"


def verdict(findings: Findings) -> str:
    checks = [row for rows in findings.values() for row in rows if isinstance(row, Check)]
    wrong = [row for row in checks if not row.holds]
    return f"{len(checks) - len(wrong)} of {len(checks)} checks hold" + "".join(f"; NOT {row.what}" for row in wrong)


def correct(findings: Findings) -> bool:
    """Whether all that must hold was looked at and does."""
    checks = [row for rows in findings.values() for row in rows if isinstance(row, Check)]
    return bool(checks) and all(row.holds for row in checks)


def tables(rows: Sequence[Row]) -> list[str]:
    """One for what must hold, one for each kind of figures, and a line for what could not be found out."""
    parts = []
    if checks := [row for row in rows if isinstance(row, Check)]:
        cells = [(row.what, number(row.error), number(row.allowed), "yes" if row.holds else "NO") for row in checks]
        parts.append(table(("what", "error", "allowed", "holds"), cells))
    for headings, some in alike([row for row in rows if isinstance(row, Figure)]).items():
        lines = [(row.what, *(number(row.values[heading]) for heading in headings)) for row in some]
        parts.append(table(("what", *headings), lines))
    parts += [f"- {row.what}: {row.why}" for row in rows if isinstance(row, Fault)]
    return parts


def alike(figures: Iterable[Figure]) -> dict[tuple[str, ...], list[Figure]]:
    """Figures by the columns that they have."""
    groups: dict[tuple[str, ...], list[Figure]] = {}
    for row in figures:
        groups.setdefault(tuple(row.values), []).append(row)
    return groups


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows)


def number(value: Value) -> str:
    """Three digits are as many as a timing has."""
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
