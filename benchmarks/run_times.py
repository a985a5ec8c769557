"""Where the time of this checkout's last whole run went, as Prefect has it on record: stage by stage.

    make run && .venv/bin/python -m benchmarks.run_times

A stage's own time is that of its command, from DVC's line that starts it to its line that takes the result. What a run
takes beside that is the flow's: DVC and Prefect, MLflow's parent run, registration. What the comparison measures counts
with the evaluations; what it judges and draws does not.
"""

import argparse
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

DATABASE = Path(".prefect", "prefect.db")
LAST = "select id, name, start_time, end_time from flow_run where state_type = 'COMPLETED' order by start_time desc"
SAID = """
select task_run.name, log.timestamp, log.message from log join task_run on task_run.id = log.task_run_id
where log.flow_run_id = ? order by log.timestamp
"""
STARTS = re.compile(r"^> sh infra/python\.sh -m pipelines\.")
ENDS = re.compile(r"^Updating lock file")
JUDGES = re.compile(r" is best by ")


@dataclass
class Stage:
    """Of one stage: when its command began and ended, and when it had measured all."""

    began: datetime | None = None
    ended: datetime | None = None
    measured: datetime | None = None

    def hears(self, when: datetime, line: str) -> None:
        if STARTS.match(line):
            self.began = when
        elif ENDS.match(line):
            self.ended = when
        elif JUDGES.search(line):
            self.measured = when

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds() if self.began and self.ended else 0.0

    @property
    def measuring(self) -> float:
        until = self.measured or self.ended
        return (until - self.began).total_seconds() if self.began and until else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--database", type=Path, default=DATABASE, help="Prefect's (%(default)s)")
    with closing(sqlite3.connect(parser.parse_args().database)) as database:
        run, name, start, end = database.execute(LAST).fetchone()
        stages = of_run(database.execute(SAID, [run]))
    whole = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    own = sum(each.seconds for each in stages.values())
    print(f"{name}: {whole:.0f} s\n\n| stage | seconds | of the run |\n|---|---|---|")
    for stage, each in stages.items():
        print(f"| `{stage}` | {each.seconds:.0f} | {each.seconds / whole:.1%} |")
    print(f"| the flow beside them | {whole - own:.0f} | {(whole - own) / whole:.1%} |\n")
    print(f"evaluation and probes over training: {over_training(stages)}")
    print(f"the flow over the stages' own time: {(whole - own) / own:.1%}")


def over_training(stages: dict[str, Stage]) -> str:
    """What is measured beside what is trained, in a run that has trained something."""
    training, compare = of_kind(stages, "train"), stages.get("compare", Stage())
    measuring = of_kind(stages, "evaluate") + compare.measuring
    if training == 0:
        return f"{measuring:.0f} s, and that run has trained nothing"
    return f"{measuring:.0f} s / {training:.0f} s = {measuring / training:.2f}"


def of_run(lines: Iterable[tuple[str, str, str]]) -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    for stage, when, line in lines:
        found.setdefault(stage, Stage()).hears(datetime.fromisoformat(when), line)
    return {stage: each for stage, each in found.items() if each.began is not None}


def of_kind(stages: dict[str, Stage], kind: str) -> float:
    return sum(each.seconds for stage, each in stages.items() if stage.partition("@")[0] == kind)


if __name__ == "__main__":
    main()
