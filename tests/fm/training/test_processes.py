import os

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment

from fm.errors import UserError
from fm.training import processes


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})


def test_variables_that_are_left_over_make_no_helper() -> None:
    os.environ |= {"RANK": "1", "LOCAL_RANK": "1", "NODE_RANK": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "3"}
    assert not processes.is_helper()
    launcher = processes.launcher()
    assert isinstance(launcher, LightningEnvironment)
    assert (launcher.local_rank(), launcher.node_rank()) == (0, 0)
    assert not launcher.creates_processes_externally


def test_what_a_training_starts_helps_it() -> None:
    processes.launcher()
    assert not processes.is_helper()
    os.environ[processes.STARTED_BY] = str(os.getppid())
    os.environ["LOCAL_RANK"] = "1"
    assert processes.is_helper()
    assert processes.launcher().local_rank() == 1


def test_torchrun_says_who_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    os.environ |= {"TORCHELASTIC_RUN_ID": "1", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    os.environ["SLURM_STEP_NUM_TASKS"] = "2"  # one torchrun on each of two machines
    assert processes.is_helper()
    os.environ["RANK"] = "0"
    assert not processes.is_helper()
    assert isinstance(processes.launcher(), TorchElasticEnvironment)
    assert processes.launched() == {"devices": 4, "num_nodes": 2}


def test_several_by_srun_are_refused() -> None:
    os.environ["SLURM_STEP_NUM_TASKS"] = "4"
    with pytest.raises(UserError, match="srun"):
        processes.is_helper()
