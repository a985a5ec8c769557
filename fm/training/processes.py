"""Who has started this process, and how many work on the same training."""

import os

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor
from torch import distributed as dist

from fm.errors import UserError

TORCHRUN = "TORCHELASTIC_RUN_ID"
STARTED_BY = "FM_TRAINING_PROCESS"
"""In the environment of what a training starts: the process id of that training."""
PLACES = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


def launched() -> dict[str, int]:
    """How many devices and nodes torchrun has started processes for; nothing where it has started none."""
    if TORCHRUN not in os.environ:
        return {}
    processes, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    return {"devices": here, "num_nodes": processes // here}


def launcher() -> ClusterEnvironment:
    """Who has started the processes of this training, said to Lightning: it would believe any variable it finds, for
    instance SLURM's where four cores are asked for as four tasks."""
    if TORCHRUN in os.environ:
        return TorchElasticEnvironment()
    if not is_helper():
        for name in PLACES:  # left over from another training
            os.environ.pop(name, None)
        os.environ[STARTED_BY] = str(os.getpid())
    return LightningEnvironment()


def mean_of_all(value: Tensor) -> Tensor:
    """The mean of what the processes of a training have, on their device, which nobody waits for: Lightning's own first
    waits for all processes, at every step.

    >>> import torch
    >>> mean_of_all(torch.tensor(3.0))
    tensor(3.)
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def is_helper() -> bool:
    """Whether this process works on a part of another one's batches: started by its training, or by torchrun.

    Raises:
        UserError: srun has started several of the same training.
    """
    if TORCHRUN in os.environ:
        return int(os.environ["RANK"]) > 0
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        raise UserError(
            "srun has started this training several times: start it once (srun --ntasks=1 --cpus-per-task=...), "
            "or let torchrun start its processes, as docs/operate.md says"
        )
    return os.environ.get(STARTED_BY) == str(os.getppid())
