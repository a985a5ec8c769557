"""Tables of the components, made from their declarations.

python -m fm.component_tables                   prints all
python -m fm.component_tables docs/methods.md   writes them anew into a page, each where it says <!-- table: path -->
"""

import re
import sys
from pathlib import Path

from fm.components import HOMES, Row, base, described

BETWEEN = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def main() -> None:
    if len(sys.argv) > 1:
        page = Path(sys.argv[1])
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n\n".join(map(table, HOMES)))


def with_tables(text: str) -> str:
    """A page with the tables it names made anew."""
    return BETWEEN.sub(lambda found: f"{found[1]}{table(found[2])}\n{found[3]}", text)


def table(kind: str) -> str:
    """The library's components of a kind as a Markdown table, without the columns that none of them has.

    >>> print(table("coupling").splitlines()[0])
    | `coupling` | what it is | source |
    """
    others = list(base(kind).columns)
    head = [f"`{kind}`", "what it is", "formula", *others, "options", "source"]
    rows = [head, *map(cells, described(kind))]
    used = [any(row[column] for row in rows[1:]) for column in range(len(head))]
    lines = [[cell for cell, is_used in zip(row, used, strict=True) if is_used] for row in rows]
    lines.insert(1, ["---"] * sum(used))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(row: Row) -> list[str]:
    return [f"`{row.name}`", row.says, row.formula, *row.others, "<br>".join(row.options), row.source]


if __name__ == "__main__":
    main()
