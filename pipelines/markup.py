"""Text of others in Markdown, names of labels and folders for instance: it is shown as it is and marks up nothing."""

import re

MARKS = re.compile(r"[\\`*_\[\]#|~!$^=]")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def literal(text: str) -> str:
    """A text as a part of a line; what cannot be printed is replaced."""
    line = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))
    for character, entity in ENTITIES.items():
        line = line.replace(character, entity)
    return MARKS.sub(r"\\\g<0>", line)
