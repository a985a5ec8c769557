"""supervisord, which keeps the services running: its configuration, and what it is told."""

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from fm.errors import UserError
from pipelines.project import whole_file

CONFIGURATION = "supervisord.conf"
LOG_MEGABYTES = 20


class SupervisorError(UserError):
    """supervisord does not start; the message is its own."""


@dataclass(frozen=True)
class Supervised:
    """A program that supervisord runs.

    Attributes:
        stop_seconds: between being asked to stop and being killed.
        group: whether its children are asked too.
    """

    name: str
    command: list[str]
    stop_signal: str = "TERM"
    stop_seconds: int = 30
    group: bool = True


@dataclass(frozen=True)
class Supervisor:
    """The supervisord whose files lie in `home`."""

    home: Path

    @property
    def configuration(self) -> Path:
        return self.home / CONFIGURATION

    def is_up(self) -> bool:
        return self.control("pid").returncode == 0

    def start(self, programs: Sequence[Supervised], folder: Path) -> None:
        """Start supervisord in the background, with none of its programs yet; they will run in `folder`.

        Args:
            programs: in the order in which they need each other. They are stopped in the reverse.

        Raises:
            SupervisorError: it does not start.
        """
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(self.configuration) as partial:
            partial.write_text(render(self.home, programs, folder), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "supervisord"), "--configuration", str(self.configuration)]
        done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", errors="replace")
        if done.returncode != 0:
            raise SupervisorError(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")

    def start_program(self, name: str) -> None:
        self.control("start", name)

    def stop_program(self, name: str) -> None:
        self.control("stop", name)

    def states(self) -> dict[str, str]:
        """Program -> RUNNING, STOPPED, ... and since when."""
        told = self.control("status").stdout
        return {line.split()[0]: " ".join(line.split()[1:]) for line in told.splitlines() if line.strip()}

    def since(self, name: str) -> datetime | None:
        """Since when a program's process runs, None where it does not."""
        words = self.states().get(name, "").replace(",", "").split()  # RUNNING pid 123, uptime 0:00:10
        if words[:1] != ["RUNNING"]:
            return None
        try:
            return datetime.fromtimestamp(psutil.Process(int(words[2])).create_time(), UTC)
        except psutil.NoSuchProcess:
            return None

    def stop(self) -> None:
        """Stop everything, the last first, and come back when it has."""
        pid = int(self.control("pid").stdout)
        self.control("shutdown")
        while is_running(pid):
            time.sleep(0.2)

    def control(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(Path(sys.executable).parent / "supervisorctl"), "--configuration", str(self.configuration)]
        return subprocess.run(
            [*command, *arguments], capture_output=True, check=False, encoding="utf-8", errors="replace"
        )

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def socket_of(home: Path) -> Path:
    """In the system's temporary folder: a socket's path has to be short, and a checkout's may be long."""
    return Path(tempfile.gettempdir()) / f"services-{hashlib.sha256(str(home).encode()).hexdigest()[:16]}.sock"


def render(home: Path, programs: Sequence[Supervised], folder: Path) -> str:
    socket = socket_of(home)
    parts = [
        section("unix_http_server", {"file": socket, "chmod": "0700"}),
        section(
            "supervisord",
            {
                "logfile": home / "logs" / "supervisord.log",
                "pidfile": home / "supervisord.pid",
                "childlogdir": home / "logs",
                "directory": folder,
                "umask": "077",
            },
        ),
        section(
            "rpcinterface:supervisor",
            {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
        section("supervisorctl", {"serverurl": f"unix://{socket}"}),
        *(
            section(f"program:{program.name}", {**options(home, program), "priority": place})
            for place, program in enumerate(programs, start=1)
        ),
    ]
    return "\n".join(parts)


def options(home: Path, program: Supervised) -> dict[str, object]:
    return {
        "command": " ".join(f'"{argument}"' for argument in program.command),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 1,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.stop_seconds,
        "stopasgroup": str(program.group).lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": home / "logs" / f"{program.name}.log",
        "stdout_logfile_maxbytes": f"{LOG_MEGABYTES}MB",
        "stdout_logfile_backups": 2,
    }


def section(name: str, values: Mapping[str, object]) -> str:
    # supervisord expands %(name)s in values.
    lines = [f"{key} = {str(value).replace('%', '%%')}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])
