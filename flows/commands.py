"""One step of the pipeline as a command: a stage through DVC, or a module of ours."""

import re
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from os import EX_TEMPFAIL
from pathlib import Path

from flows import graph
from flows.faults import is_transient
from flows.graph import DVC
from flows.mistakes import Explained
from flows.processes import Processes

LAST_LINES = 12


class Outcome(Enum):
    """What came of a stage; the value is the name of its Prefect state."""

    EXECUTED = "Executed"
    RESTORED = "Restored"
    UNCHANGED = "Unchanged"


# What DVC says before the stage's own output, if the stage runs at all: the first match counts.
SAID = {
    Outcome.EXECUTED: re.compile(r"^(Running|Verifying .* in) stage:? '"),
    Outcome.RESTORED: re.compile(r"^Stage '.*' is cached - skipping run"),
    Outcome.UNCHANGED: re.compile(r"'.*' didn't change, skipping$"),
}
# What it says afterwards, every time, about git and remotes.
HINT = re.compile(
    r"^(To (track the changes with git|enable auto staging), run:|\t(git add|dvc config) |Use `dvc push`)"
)


class StepFailed(Explained):
    """A step's command failed; the message is a headline and the last lines of its output.

    Attributes:
        transient: the same may succeed later.
    """

    def __init__(self, headline: str, last_lines: Sequence[str] = (), transient: bool = False) -> None:
        super().__init__("\n    ".join([headline, *last_lines]))
        self.headline = headline
        self.transient = transient


@dataclass(frozen=True)
class Runner:
    """How the commands of one run are run: where, with what around them, and by whom they are ended.

    Attributes:
        forced: stages that are run whether DVC finds a change or not.
    """

    root: Path
    environment: Mapping[str, str]
    processes: Processes
    forced: frozenset[str] = frozenset()

    def stage(self, name: str, log: Callable[[str], None], pull: bool = False) -> Outcome:
        """Let DVC bring one stage up to date; those it needs must be so already.

        Args:
            pull: what it needs, and what an equal run elsewhere has made, may come out of DVC's remote.
        """
        outcomes: list[Outcome] = []

        def listen(line: str) -> None:
            if not outcomes:
                outcomes.extend(outcome for outcome, said in SAID.items() if said.search(line))
            if not HINT.match(line):
                log(line)

        options = [*(["--pull"] if pull else []), *(["--force"] if name in self.forced else [])]
        self.run(name, [DVC, "--wait-for-lock", "repro", "--single-item", *options, name], listen)
        if not outcomes:
            raise StepFailed(f"{name}: DVC ended without saying what it did")
        return outcomes[0]

    def pull_needs(self, name: str, log: Callable[[str], None]) -> None:
        """Bring what a stage needs out of DVC's remote: `repro --pull` leaves out a folder that others' outputs lie in,
        and would pull only when the stage's turn has come."""
        if needs := graph.read(self.root)[name]:
            self.run(f"pulling what {name} needs", [DVC, "--wait-for-lock", "pull", *needs], log)

    def push(self, name: str, log: Callable[[str], None]) -> None:
        """Put what a stage has made where other machines find it."""
        self.run(f"pushing {name}", [sys.executable, "-m", "pipelines.push", name], log)

    def module(self, name: str, log: Callable[[str], None], arguments: Sequence[str] = ()) -> Outcome:
        """Run `python -m NAME ARGUMENTS`."""
        self.run(name, [sys.executable, "-m", name, *arguments], log)
        return Outcome.EXECUTED

    def run(self, name: str, command: list[str], log: Callable[[str], None]) -> None:
        last: deque[str] = deque(maxlen=LAST_LINES)

        def remember(line: str) -> None:
            last.append(line)
            log(line)

        # DVC's exit code says nothing; it names the stage's own in its last line.
        if code := self.processes.run(command, self.root, self.environment, remember):
            raise StepFailed(f"{name} failed", list(last), code == EX_TEMPFAIL or is_transient(last))
