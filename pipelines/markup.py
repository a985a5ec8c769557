"""Markdown: tables, and text of others, names of labels and folders for instance, that marks up nothing."""

import re
from collections.abc import Iterable, Sequence

MARKS = re.compile(r"[\\`*_\[\]#|~!$^=]")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def literal(text: str) -> str:
    """A text as a part of a line; what cannot be printed is replaced."""
    line = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))
    for character, entity in ENTITIES.items():
        line = line.replace(character, entity)
    return MARKS.sub(r"\\\g<0>", line)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, in which no cell's text can break out of its cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in cells) + " |" for cells in lines)


def escaped(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").replace("<", "&lt;").split())
