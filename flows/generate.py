"""A large set of images in S3 as a Prefect flow, in shards: the same images whatever their number."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import NonNegativeInt, PositiveInt

from flows.abandoned import known_alive
from flows.choices import Queue
from flows.commands import Outcome
from flows.pipeline_flow import checkout
from flows.processes import Processes
from flows.shard import Order, here, step_name
from flows.steps import Step, StepsFailed, run_steps
from flows.workers import on_a_worker
from fm import s3
from fm.errors import UserError
from fm.prompts import prompt
from pipelines import params
from pipelines.registry import versions
from pipelines.worktree import commit_of

DEPLOYMENT = "shard/worker-shard"
BUCKETS_VARIABLE = "BUCKETS"


@flow(name="generate", persist_result=False)
def generate(
    count: PositiveInt,
    model: str = "champion",
    seed: NonNegativeInt = 0,
    label: str | None = None,
    prompts: list[str] | None = None,
    negative: str | None = None,
    guidance: float | None = None,
    steps: PositiveInt | None = None,
    to: str | None = None,
    shards: PositiveInt = 1,
    queue: Queue | None = None,
    revision: str | None = None,
) -> State[Any]:
    """Make a set of images from a registered model, in S3. What is there is not made again.

    Args:
        count: how many images.
        model: an alias or a version's number, of the model that params.yaml names; or, of another,
            digits-generator@champion or digits-generator@3. An alias is looked up once, when the run begins.
        seed: other noise, other images.
        label: its name, or its index where no name is a number. None is all labels in turn.
        prompts: texts that images are of in turn, for a model that knows texts. None is the model's examples in turn.
        negative: a text that guidance leads away from.
        guidance: its scale; 1 means none. None is the model's own.
        steps: of the solver. None is the model's own.
        to: a prefix in the bucket for samples, or s3://bucket/prefix/. None is a prefix made of model, version and all
            that is asked for.
        shards: how many parts it is made in. The images are the same whatever it is.
        queue: of the work pool: its workers make the shards, as many at once as they are. None makes one after the
            other on the machine of this run.
        revision: a branch, tag or commit, whose code makes every shard in a checkout of its own. None is the code that
            lies here, with your uncommitted changes.
    """
    try:
        require_commit(queue, revision)
        require_texts(label, prompts or [], negative)
        with known_alive(), checkout(revision) as place:
            name, version = versions.find(model, place / params.FILE)
            asked = {"count": count, "seed": seed, "label": label, "guidance": guidance, "steps": steps}
            texts = {"prompts": prompts or [], "negative": negative}
            address = address_of(to or default_prefix(name, version, asked, texts), os.environ)
            order = Order.model_validate({"model": f"{name}@{version}", "to": address, **asked, **texts})
            numbers = [f"{index}/{shards}" for index in range(1, shards + 1)]
            outcomes = run_here(place, order, numbers) if queue is None else run_there(place, order, numbers, queue)
    except (StepsFailed, UserError) as error:
        return Failed(message=str(error), data=error)
    return Completed(message=message(order, outcomes))


def require_commit(queue: str | None, revision: str | None) -> None:
    if queue is not None and revision is None:
        raise UserError(f"queue: {queue}: needs a revision, for instance HEAD: workers lack what is not committed")


def require_texts(label: str | None, prompts: Sequence[str], negative: str | None) -> None:
    """Raises UserError for texts that no model takes: nothing has begun then."""
    given = {f"prompts[{number}]": text for number, text in enumerate(prompts)}
    given |= {} if negative is None else {"negative": negative}
    if label is not None and given:
        raise UserError(f"label: {label!r}: a model knows labels or texts: leave out {next(iter(given))} or the label")
    for key, text in given.items():
        try:
            prompt(text)
        except ValueError as error:
            raise UserError(f"{key}: {error}") from None
        if "\0" in text:
            raise UserError(f"{key}: {text[:60]!r}: has the character 0, which no command takes")


def default_prefix(name: str, version: str, asked: Mapping[str, object], texts: Mapping[str, object]) -> str:
    """One for each set that can be asked for, with nothing in it that needs quoting; of texts a sum alone."""
    words = [f"{key}-{value}" for key, value in asked.items() if value is not None]
    words += [f"{key}-{sum_of(value)}" for key, value in texts.items() if value]
    return f"{name}/{version}/" + re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(words))


def sum_of(texts: object) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]


def address_of(to: str, environment: Mapping[str, str]) -> str:
    """The whole address of a place in S3. Raises UserError if it is none."""
    if to.startswith(s3.SCHEME):
        return str(s3.parse(to))
    if not (buckets := environment.get(BUCKETS_VARIABLE)):
        raise UserError(f"to: {to!r}: which bucket? Set {BUCKETS_VARIABLE}, as .env does, or write s3://bucket/{to}")
    return str(s3.parse(f"{s3.SCHEME}{buckets}-samples/{to}"))


def run_here(place: Path, order: Order, numbers: list[str]) -> dict[str, Outcome]:
    # One after the other: together they would only wait for the same processor.
    with Processes() as processes:
        before = [(), *((step_name(number),) for number in numbers)]
        pairs = zip(numbers, before, strict=False)
        return run_steps([here(place, processes, order, number, needs) for number, needs in pairs])


def run_there(place: Path, order: Order, numbers: list[str], queue: str) -> dict[str, Outcome]:
    commit = commit_of(place, "HEAD")
    with Processes() as processes:
        actions = {number: partial(there, order, commit, queue, processes, number) for number in numbers}
        return run_steps([Step(step_name(number), (), action) for number, action in actions.items()])


def there(
    order: Order, commit: str, queue: str, processes: Processes, number: str, log: Callable[[str], None]
) -> Outcome:
    """A shard on a worker, which tries again by itself. Raises StepFailed, Stopped."""
    parameters = {"order": order.model_dump(), "number": number, "revision": commit}
    ended = on_a_worker(step_name(number), DEPLOYMENT, parameters, queue, processes, log)
    log(str(ended.message))
    return Outcome(ended.name)


def message(order: Order, outcomes: Mapping[str, Outcome]) -> str:
    there_before = all(outcome is Outcome.UNCHANGED for outcome in outcomes.values())
    return f"{order.count} images of {order.model} are in {order.to}." + (
        " All were there before." if there_before else ""
    )
