"""`python -m infra.services start|status|stop|save|restore`, which is what `make services` and its like do."""

import argparse
import sys
from pathlib import Path

from fm.errors import UserError
from infra.services import backup, control
from pipelines.project import ROOT, set_environment


def main() -> int:
    chosen = arguments().parse_args()
    set_environment()
    try:
        match chosen.command:
            case "start":
                control.start(ROOT)
            case "status":
                return 0 if control.status(ROOT) else 1
            case "stop":
                control.stop(ROOT)
            case "save":
                backup.save(ROOT, chosen.folder.absolute())
            case "restore":
                backup.restore(ROOT, chosen.folder.absolute())
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.services", description="The team's services on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("start", "status", "stop"):
        commands.add_parser(name)
    for name, about in (("save", "back up to a new folder"), ("restore", "bring back a backup")):
        commands.add_parser(name, help=about).add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
