import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.services import leftovers

PARENT = """
import signal, subprocess, sys, time
child = "import signal, sys, time; " + sys.argv[1] + "print(1, flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(600)
"""


@pytest.mark.parametrize("stubborn", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_the_children_of_a_killed_server_end_and_no_others(tmp_path: Path, stubborn: str) -> None:
    started = []
    for root in (tmp_path / "here", tmp_path / "elsewhere"):
        around = {**os.environ, **leftovers.mark(root, "mlflow")}
        command = [sys.executable, "-c", PARENT, stubborn]
        started.append(subprocess.Popen(command, env=around, stdout=subprocess.PIPE))
    for parent in started:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"1\n"
        parent.kill()
        parent.wait()

    assert leftovers.end(tmp_path / "here", ["mlflow", "prefect"], seconds=1) == ["mlflow"]

    assert not leftovers.processes(tmp_path / "here", "mlflow")
    assert len(leftovers.processes(tmp_path / "elsewhere", "mlflow")) == 1
    leftovers.end(tmp_path / "elsewhere", ["mlflow"], seconds=1)
    for parent in started:
        assert parent.stdout is not None
        parent.stdout.close()
