"""Which method wins, and whether it may replace the champion. Decisions only; register.py acts on them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from fm.metrics.intervals import mean_interval
from pipelines.params import Params, Part
from pipelines.project import FEATURES
from pipelines.ranking import rank, read_evaluations
from pipelines.schemas.evaluation import HIGHER_IS_BETTER, Evaluation, EvaluationRow
from pipelines.schemas.schema import Schema
from pipelines.stage import declared, recorded
from pipelines.words import number

CONFIDENCE = 0.95
PROTOCOL = "protocol."
SET_VALUES = "metric.sets"
AGAIN = "gate.champion"
USUAL = {"precision": "float32", "given": "nothing"}
"""Parts of the protocol that no version has among its tags where they are these, as all were before there was a
choice."""


@dataclass(frozen=True)
class Protocol:
    """How a figure came about. Figures of two protocols say nothing about each other.

    Attributes:
        given: the part of test data that samples are made from (dataset.condition).
    """

    data_md5: str
    extractor: str
    extractor_md5: str
    reference: str
    num_images: int
    num_sets: int
    seed: int
    metric: str
    nfe: int
    precision: str = USUAL["precision"]
    given: str = USUAL["given"]

    def tags(self) -> dict[str, str]:
        """Without what is usual."""
        told = {name: value for name, value in asdict(self).items() if USUAL.get(name) != value}
        return {PROTOCOL + name: str(value) for name, value in told.items()}


@dataclass(frozen=True)
class Winner:
    """The method that is best at `register.nfe` network evaluations, by `register.metric`.

    Attributes:
        sets: the metric's value in each sample set; empty if it isn't measured by set.
    """

    method: str
    evaluation: Evaluation
    row: EvaluationRow
    value: float
    sets: list[float]
    protocol: Protocol

    def tags(self) -> dict[str, str]:
        return {
            "method": self.method,
            "solver": self.row.solver,
            "steps": str(self.row.steps),
            "nfe": str(self.row.nfe),
            "metric": self.protocol.metric,
            "metric.value": repr(self.value),
            SET_VALUES: json.dumps(self.sets),
            **self.protocol.tags(),
        }


class Again(Schema):
    """A champion measured by the protocol of the candidate that is to replace it.

    Attributes:
        sets: the metric's value in each sample set.
        problem: why there are none.
    """

    version: str
    sets: list[float]
    problem: str | None


@dataclass(frozen=True)
class Verdict:
    """What becomes of a candidate, and why."""

    promoted: bool
    why: str


def choose(settings: Params) -> Winner:
    """The best of the methods' rows that decide.

    Raises:
        UserError: something is missing, or the methods were not measured alike.
    """
    metric, nfe = settings.register_.metric, settings.register_.nfe
    measured = read_evaluations(list(settings.methods))
    best, row = rank(measured, metric, nfe)[0]
    evaluation = measured[best]
    name = f"evaluate@{best}"
    stage = recorded(name) or declared(name)
    protocol = Protocol(
        data_md5=stage.data_md5,
        extractor=evaluation.extractor,
        extractor_md5=stage.dependencies[str(FEATURES)],
        reference=evaluation.reference,
        num_images=evaluation.num_images,
        num_sets=evaluation.num_sets,
        seed=settings.evaluate.seed,
        metric=metric,
        nfe=nfe,
        precision=evaluation.precision,
    )
    if isinstance(settings.dataset.condition, Part):
        protocol = replace(protocol, given=settings.dataset.condition.in_words)
    value = float(evaluation.row_on_disk(row)[metric])
    return Winner(best, evaluation, row, value, evaluation.sets(row, metric), protocol)


def judge(candidate: Mapping[str, str], champion: Mapping[str, str], again: Again | None = None) -> Verdict:
    """Whether a version beats the champion by more than the interval of their paired difference, by both's tags.

    Args:
        again: what the champion gets by the candidate's protocol, where that isn't its own.
    """
    metric = candidate.get(PROTOCOL + "metric", "the metric")
    ours, theirs = by_set(candidate), by_set(champion)
    if len(ours) < 2:
        return Verdict(False, f"not compared: {metric} has no value for each sample set, so its interval is unknown")
    note = ""
    if why := obstacle(candidate, champion):
        if again is None:
            return Verdict(False, f"not compared: {why}; registering the candidate again measures it anew")
        if len(again.sets) != len(ours):
            return Verdict(False, f"not compared: {why}, and cannot be measured anew: {again.problem}")
        theirs, note = again.sets, f" ({why}, so it was measured anew)"
    sign, direction = (-1, "higher") if metric in HIGHER_IS_BETTER else (1, "lower")
    gain = mean_interval([sign * (old - new) for old, new in zip(theirs, ours, strict=True)], CONFIDENCE)
    interval = f"{CONFIDENCE:.0%} interval {number(gain.low)} to {number(gain.high)}"
    figures = f"{metric} {direction} by {number(gain.mean)}, {interval}"
    if gain.low > 0:
        return Verdict(True, f"better: {figures}{note}")
    return Verdict(False, f"not better for certain: {figures}{note}")


def obstacle(candidate: Mapping[str, str], champion: Mapping[str, str]) -> str | None:
    """Why the champion's own figures say nothing beside the candidate's, if they don't."""
    for key in protocol_keys(candidate, champion):
        was, now = told(champion, key), told(candidate, key)
        if was != now:
            return f"the champion was measured by another protocol ({key.removeprefix(PROTOCOL)} {was}, now {now})"
    if len(by_set(champion)) != len(by_set(candidate)):
        return "the champion was not measured by set"
    return None


def told(tags: Mapping[str, str], key: str) -> str:
    """A part of the protocol by a version's tags, as `Protocol.tags` has them."""
    return tags.get(key, USUAL.get(key.removeprefix(PROTOCOL), "unknown"))


def by_set(tags: Mapping[str, str]) -> list[float]:
    values: list[float] = json.loads(tags.get(SET_VALUES, "[]"))
    return values


def again(candidate: Mapping[str, str], champion: str) -> Again | None:
    """What was found when the champion, a version's number, was measured by the candidate's protocol, if it was."""
    found = Again.model_validate_json(candidate[AGAIN]) if AGAIN in candidate else None
    return found if found is not None and found.version == champion else None


def protocol_keys(*tags: Mapping[str, str]) -> list[str]:
    return sorted({key for each in tags for key in each if key.startswith(PROTOCOL)})
