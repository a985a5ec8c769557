"""Make params.schema.json anew, from settings and components. `python -m pipelines.params`, or `make schema`."""

import argparse

from pipelines.params.json_schema import FILE, text
from pipelines.program import run
from pipelines.project import ROOT, whole_file


def main() -> None:
    argparse.ArgumentParser(prog="python -m pipelines.params", description=(__doc__ or "").split("\n")[0]).parse_args()
    with whole_file(ROOT / FILE) as partial:
        partial.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    run(main)
