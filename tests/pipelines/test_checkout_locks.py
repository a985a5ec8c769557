import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.checkout_locks import CheckoutBusy, running_here, settings_free, working
from pipelines.project import ROOT


def test_settings_are_written_only_while_no_stage_runs(tmp_path: Path) -> None:
    said = r"a stage is running here.*params\.yaml is as it was"
    with working(tmp_path), working(tmp_path), pytest.raises(CheckoutBusy, match=said), settings_free(tmp_path):
        pass
    with settings_free(tmp_path):
        pass


def test_a_checkout_is_for_one_run_at_a_time(tmp_path: Path) -> None:
    said = "another pipeline run works here"
    with running_here(tmp_path), working(tmp_path), pytest.raises(CheckoutBusy, match=said), running_here(tmp_path):
        pass
    with running_here(tmp_path):
        pass


def test_what_is_killed_gives_its_lock_back(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib; from pipelines.checkout_locks import running_here\n"
        "with running_here(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CheckoutBusy), running_here(tmp_path):
            pass
        holder.kill()
    with running_here(tmp_path):
        pass
