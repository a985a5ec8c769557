"""`python -m infra.services COMMAND`: what `make services`, its like, and infra/compose do."""

import argparse
import sys
from pathlib import Path

from fm.errors import UserError
from infra.services import backup, control, deployments, env_file, health, programs
from pipelines.project import ROOT


def main() -> int:
    chosen = arguments().parse_args()
    try:
        return 0 if carry_out(chosen) else 1
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def carry_out(chosen: argparse.Namespace) -> bool:
    """Whether it is as asked."""
    match chosen.command:
        case "start":
            control.start(ROOT)
        case "status":
            return control.status(ROOT)
        case "stop":
            control.stop(ROOT)
        case "save":
            backup.save(ROOT, chosen.folder)
        case "restore":
            backup.restore(ROOT, chosen.folder)
        case "env":
            env_file.settings(ROOT)
        case "stores":
            control.set_up_stores(ROOT, env_file.settings(ROOT))
        case "deployments":
            deployments.set_up(ROOT, env_file.around(ROOT))
        case "run":
            if chosen.service in programs.WORKERS:
                surroundings = env_file.around_worker(ROOT)
                from infra.services import prefect_rules

                prefect_rules.make_slot(surroundings)
            programs.run(ROOT, chosen.service)
        case "check":
            return health.CHECKS[chosen.service](env_file.read(ROOT))
    return True


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.services", description="The team's services on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("start", "start what does not run, one after the other"),
        ("status", "say which answer"),
        ("stop", "stop all"),
        ("env", "make .env alone"),
        ("stores", "set up databases, buckets and keys, where the stores answer"),
        ("deployments", "set up work pool, queues and deployments, where Prefect answers"),
    ):
        commands.add_parser(name, help=about)
    for name, about in (("save", "back up to a new folder"), ("restore", "bring back a backup")):
        commands.add_parser(name, help=about).add_argument("folder", type=folder)
    commands.add_parser("run", help="become one").add_argument(
        "service", choices=[*programs.SERVERS, *programs.WORKERS]
    )
    commands.add_parser("check", help="whether one answers").add_argument("service", choices=list(health.CHECKS))
    return parser


def folder(given: str) -> Path:
    if not given:  # which would be the present one
        raise argparse.ArgumentTypeError("is missing: make services-save TO=FOLDER, make services-restore FROM=FOLDER")
    return Path(given).absolute()


if __name__ == "__main__":
    sys.exit(main())
