"""How data are completed of which a part is given: a line for each figure, a column for each method."""

from collections.abc import Mapping
from typing import NamedTuple

from pipelines.schemas.evaluation import Completion, Evaluation


class Line(NamedTuple):
    """One thing that is measured.

    Attributes:
        figures: one for each method, and the ends of its interval; dashes for one that has none.
        right: what it should be, or what it is without knowing anything of the datum.
    """

    what: str
    figures: list[tuple[str, str]]
    right: str


def lines(evaluations: Mapping[str, Evaluation]) -> list[Line]:
    """Nothing where no method is given a part of the data."""
    each = [evaluation.completion for evaluation in evaluations.values()]
    if (first := next((one for one in each if one is not None), None)) is None:
        return []
    return [
        Line(
            "how far samples are from what is there (CRPS, in deviations of the data)",
            [score(one) for one in each],
            f"{first.unconditional:.3f} of training data",
        ),
        Line("spread of the samples by the error of their mean", [figure(one, "spread_by_error") for one in each], "1"),
        Line(
            "share of the rank histogram that lies elsewhere than in a flat one",
            [figure(one, "unevenness") for one in each],
            "0",
        ),
    ]


def how(evaluations: Mapping[str, Evaluation]) -> str:
    """How the figures were come by."""
    first = next((one.completion for one in evaluations.values() if one.completion is not None), None)
    if first is None:
        return ""
    return (
        f"Of {first.data} test data each method is told {first.part}, and completes each {first.members} times, by the "
        "sampler that decides; what is looked at is what was not given as it is. A CRPS of several samples is fair: it "
        "does not depend on their number. The interval is over the data. A spread below 1 is too sure of itself. The "
        "first row of a sheet of samples is test data, the second what is given of them, and below are completions."
    )


def score(found: Completion | None) -> tuple[str, str]:
    if found is None:
        return "–", ""
    return f"{found.crps:.3f}", f"{found.crps_low:.3f} to {found.crps_high:.3f}"


def figure(found: Completion | None, name: str) -> tuple[str, str]:
    return ("–" if found is None else f"{getattr(found, name):.2f}"), ""
