"""A shard of a set of images, as a command of ours, and as a Prefect flow on a worker that takes it from a queue.

The place in S3 is all that the shards have in common: what one has made lies there whoever made it.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Crashed, Failed
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from flows import slots
from flows.abandoned import known_alive
from flows.commands import Outcome, Runner
from flows.processes import Processes
from flows.steps import Step, StepsFailed, run_steps
from flows.workspace import run_workspace
from fm.errors import TryLater, UserError
from pipelines.project import ROOT, cache_dir

COMMAND = "pipelines.generate"
NOTHING_MADE = "0 images "
"""How the command's last line begins if all was there."""


class Order(BaseModel):
    """A set of images that somebody wants."""

    model: str = Field(description="MODEL@VERSION")
    count: PositiveInt = Field(description="images 0 to count - 1")
    seed: NonNegativeInt = Field(description="of their noise")
    label: str | None = Field(description="its name, or its index where no name is a number; None is all in turn")
    prompts: list[str] = Field(default=[], description="texts that images are of in turn; none is the model's examples")
    negative: str | None = Field(default=None, description="a text that guidance leads away from")
    guidance: float | None = Field(description="its scale; None is the model's own")
    steps: PositiveInt | None = Field(description="of the solver; None is the model's own")
    to: str = Field(description="s3://bucket/prefix/")

    def arguments(self, shard: str) -> list[str]:
        """The command's, for a shard like 2/8."""
        given = {
            "model": self.model,
            "count": self.count,
            "seed": self.seed,
            "label": self.label,
            "negative": self.negative,
            "guidance": self.guidance,
            "steps": self.steps,
            "out": self.to,
            "shard": shard,
        }
        prompts = [f"--prompt={text}" for text in self.prompts]
        return [*prompts, *(f"--{name}={value}" for name, value in given.items() if value is not None)]


@flow(name="shard", flow_run_name="{number}", persist_result=False)
def shard(order: Order, number: str, revision: str) -> State[Any]:
    """Make one shard of a set of images on this machine.

    Args:
        order: which set.
        number: for instance 2/8, the second of eight shards.
        revision: the commit whose code makes it.
    """
    try:
        with (
            known_alive(),
            run_workspace(ROOT, cache_dir() / "runs", str(flow_run.id), revision) as place,
            Processes() as processes,
        ):
            step = here(place, processes, order, number, needs=())
            outcome = run_steps([step])[step.name]
    except TryLater as error:  # not the shard's fault: another try, here or elsewhere, may have more luck
        return Crashed(message=str(error))
    except (StepsFailed, UserError) as error:
        return Failed(message=str(error), data=error)
    return Completed(name=outcome.value, message=f"Shard {number} is in {order.to}.")


def here(place: Path, processes: Processes, order: Order, number: str, needs: tuple[str, ...]) -> Step:
    """A shard by the code in the checkout `place`."""
    from pipelines.records import tracking

    runner = Runner(place, {**os.environ, tracking.URI_VARIABLE: tracking.uri()}, processes)
    return Step(step_name(number), needs, partial(make, runner, order, number))


def step_name(number: str) -> str:
    return f"shard {number}"


def make(runner: Runner, order: Order, number: str, log: Callable[[str], None]) -> Outcome:
    """Run the command when it is this machine's turn. Raises StepFailed, Stopped."""
    said = [""]

    def listen(line: str) -> None:
        said[0] = line
        log(line)

    with slots.held(COMMAND, runner.processes):
        runner.module(COMMAND, listen, order.arguments(number))
    return Outcome.UNCHANGED if said[0].startswith(NOTHING_MADE) else Outcome.EXECUTED
