"""YAML that people write, read with care: what is odd is one line, nothing expands without bound, nothing hangs."""

from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 100_000
MOST_NODES = 100_000
MOST_DEPTH = 40


def read(file: Path) -> Any:
    """What a file says. Raises OSError, and ValueError as `content` and `text` do."""
    return content(text(file))


def text(file: Path) -> str:
    """A file's text. Raises OSError; ValueError, in one line, for one that is too large or not in UTF-8."""
    if file.exists() and not file.is_file():
        raise ValueError("not a file")
    if (size := file.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{size:,} bytes are too many: settings have {MOST_BYTES:,} at most")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text: save it as UTF-8") from None


def content(given: str) -> Any:
    """What a text says. Raises ValueError, in one line that repeats nothing of it but names."""
    if len(given) > MOST_BYTES:
        raise ValueError(f"{len(given):,} characters are too many: settings have {MOST_BYTES:,} at most")
    try:
        return yaml.load(given, Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise ValueError(f"not YAML: {' '.join(str(error.problem).split())[:200]}{where}") from None
    except yaml.reader.ReaderError as error:
        raise ValueError(f"not YAML: {error.reason}") from None
    except ValueError as error:  # a date that is none, a number of 5,000 digits
        raise ValueError(f"not YAML: {error}") from None


class Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, which YAML forbids and PyYAML lets pass, and what grows without bound when
    its aliases are written out."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth, self.nodes = 0, 0
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        before, self.depth = self.nodes, self.depth + 1
        if self.depth > MOST_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"nested more than {MOST_DEPTH} deep", mark)
        alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if alias and id(node) not in self.sizes:
            raise yaml.composer.ComposerError(None, None, "an alias of what it stands in", mark)
        self.nodes += self.sizes[id(node)] if alias else 1
        if self.nodes > MOST_NODES:
            raise yaml.composer.ComposerError(None, None, f"more than {MOST_NODES:,} values", mark)
        self.sizes.setdefault(id(node), self.nodes - before)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.composer.ComposerError(None, None, f"{key.value[:80]!r} is there twice", key.start_mark)
            seen.add((key.tag, str(key.value)))
        return node
