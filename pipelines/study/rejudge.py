"""Judge again what an earlier study has measured: `python -m pipelines.study.rejudge docs/results README.md`.

The folder keeps its trials without models and pictures, so only the claims are made anew: in comparison.json, in the
section of report.html, and wherever their table stands in the folder's Markdown and in the files named after it.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from fm.errors import UserError
from pipelines.claims.judge import judge_study
from pipelines.claims.words import as_markdown, finding
from pipelines.program import run
from pipelines.project import whole_file
from pipelines.report import render_claims
from pipelines.schemas.comparison import Comparison
from pipelines.study import collect

SECTION = re.compile(r"<h2>Claims about flow matching</h2>.*?(?=<h2>)", re.DOTALL)
TABLE = re.compile(r"^\| verdict \| claim \|.*\n(?:\|.*\n)+", re.MULTILINE)


def main(folder: Path, beside: Sequence[Path]) -> None:
    outcomes = collect.kept(folder / "trials")
    if not outcomes:
        raise UserError(f"{folder / 'trials'}: there is no trial of a study here ({collect.RECORD})")
    before = Comparison.load(folder / "comparison.json")
    now = before.model_copy(update={"claims": judge_study(outcomes), "roles": outcomes[0].roles})
    found = {claim.id: finding(claim) for claim in before.claims}
    for new in now.claims:
        if found.get(new.id) != finding(new):
            print(f"{new.id}: {found.get(new.id, 'not there')} -> {finding(new)}")
    now.save(folder / "comparison.json")
    rewrite(folder / "report.html", SECTION, f"{render_claims(now.claims)}\n\n")
    for file in (*sorted(folder.glob("*.md")), *beside):
        rewrite(file, TABLE, f"{as_markdown(now.claims)}\n")


def rewrite(file: Path, part: re.Pattern[str], text: str) -> None:
    """Put a text where one like it is. Raises UserError where there is none."""
    content, count = part.subn(lambda _: text, file.read_text(encoding="utf-8"))
    if not count:
        raise UserError(f"{file}: the claims that are to be replaced are not in it")
    with whole_file(file) as partial:
        partial.write_text(content, encoding="utf-8")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.study.rejudge", description="Judge again what an earlier study has measured."
    )
    parser.add_argument("folder", type=Path, help="with trials/, comparison.json and report.html: docs/results")
    parser.add_argument("beside", type=Path, nargs="*", help="further Markdown files with the table of the claims")
    return parser


if __name__ == "__main__":
    given = arguments().parse_args()
    run(lambda: main(given.folder, given.beside))
