"""Put what a stage has made into DVC's remote, for other machines: `python -m pipelines.push train@diffusion`.

`dvc push --run-cache` alone leaves out what git would keep, the metrics (DVC 3.67): elsewhere the stage could not be
restored.
"""

import sys
from pathlib import Path

from fm.errors import TryLater
from pipelines.program import run
from pipelines.project import ROOT
from pipelines.worktree import dvc


def push(root: Path, stage: str) -> None:
    """Push a stage's outputs, all of them, and the run cache.

    Raises:
        UserError: there is no remote, or it refuses.
        TryLater: something that git would keep did not get there; why is in DVC's log, on stderr.
    """
    from dvc.repo import Repo

    dvc(root, "push", "--run-cache", stage)
    with Repo(str(root)) as repo:
        loaded = repo.stage.load_one(str(root / "dvc.yaml"), stage)
        failed = repo.cloud.push({output.hash_info for output in loaded.outs if not output.use_cache}).failed
        if failed:  # which DVC does not raise
            place = repo.cloud.get_remote()
            where = place.fs.unstrip_protocol(place.path)
            raise TryLater(f"{stage}: {len(failed)} of its objects did not get into DVC's remote {where}")


if __name__ == "__main__":
    run(lambda: push(ROOT, sys.argv[1]))
