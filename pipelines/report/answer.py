"""The first screen: which one, by how much, at what cost; and what few evaluations and coming over cost."""

from dataclasses import dataclass

from pipelines import words
from pipelines.claims.distances import best_row, difference
from pipelines.claims.results import Results
from pipelines.ranking import Ranking
from pipelines.report.questions import coming_over, few_evaluations
from pipelines.schemas.comparison import Comparison
from pipelines.schemas.evaluation import Evaluation, EvaluationRow, distance_key
from pipelines.words import duration, method_in_text, method_name, number, size, solver_name, unless_none


@dataclass(frozen=True)
class Answer:
    """Three questions and their answers, and the small table of costs.

    Attributes:
        question: which method it is to be.
        headline, sentences: the answer to that.
        table: label, one figure and remark a method.
        others: the other two questions, with the sentences that answer them.
    """

    question: str
    headline: str
    sentences: list[str]
    table: list[tuple[str, list[tuple[str, str]]]]
    others: list[tuple[str, list[str]]]


def answer(comparison: Comparison, ranking: Ranking, results: Results) -> Answer:
    """Methods stand in the table in their own order, so that it reads like every other table of the page."""
    evaluations = results.evaluations
    sentences, decided = by_how_much(comparison, ranking, evaluations)
    if len(ranking) > 1:
        sentences.append(at_their_best(ranking, evaluations))
    name = method_name(ranking[0][0])
    if len(ranking) == 1:
        headline = f"{name} alone was measured"
    elif decided:
        headline = f"{name} makes the better {comparison.things} in {comparison.nfe} evaluations"
    else:
        headline = f"No clear winner: {name} is ahead, but not beyond doubt"
    return Answer(
        f"Which method, at {comparison.nfe} evaluations {comparison.thing}?",
        headline,
        sentences,
        costs(comparison, ranking, results),
        [
            ("What does it cost to go down to 1 to 4?", few_evaluations(comparison, ranking, results)),
            ("What does it cost to come over from diffusion?", coming_over(comparison.claims)),
        ],
    )


def by_how_much(comparison: Comparison, ranking: Ranking, evaluations: dict[str, Evaluation]) -> tuple[list[str], bool]:
    """The winner against the runner-up at the deciding number of evaluations, and whether that is beyond doubt."""
    winner, own = ranking[0]
    evaluation = evaluations[winner]
    value = number(float(evaluation.row_on_disk(own)[comparison.metric]))
    at = f"With {comparison.nfe} network evaluations {comparison.thing}, its {comparison.metric} is {value}"
    if len(ranking) == 1:
        return [f"{at}. There is no other method to compare it with."], False
    second, other = ranking[1]
    against = (
        f"{at}, against {number(float(evaluation.row_on_disk(other)[comparison.metric]))} of {method_in_text(second)}"
    )
    key = distance_key(comparison.extractor)
    if comparison.metric != key:
        return [f"{against}. A paired interval is to be had for {key} only, so this lead has none."], False
    ours, theirs = (
        [row for row in evaluations[method].rows if row.nfe == comparison.nfe] for method in (winner, second)
    )
    gap = difference(ours, theirs, evaluation.confidence)
    chosen = ", each by the sampler that is best in the other sets" if len(ours) + len(theirs) > 2 else ""
    return [
        f"{against}: {number(gap.mean)} lower, or {gap.mean / other.distance:.0%} "
        f"({evaluation.confidence:.0%} interval of the paired difference {number(gap.low)} to {number(gap.high)}"
        f"{chosen})."
    ], gap.low > 0


def at_their_best(ranking: Ranking, evaluations: dict[str, Evaluation]) -> str:
    """A lead at few evaluations need not be one at many; say which it is."""
    best = sorted(((method, best_row(evaluations[method])) for method, _ in ranking), key=lambda item: item[1].distance)
    figures = ", ".join(f"{method_in_text(method)} {number(row.distance)} with {row.nfe}" for method, row in best)
    if best[0][0] == ranking[0][0]:
        return f"Each with as many evaluations as suit it best: {figures}."
    return f"With more evaluations the order changes: {figures}."


def costs(comparison: Comparison, ranking: Ranking, results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Times are those of all methods in turn: of trainings one after the other, the machine's load is a part."""
    key = distance_key(comparison.extractor)
    rows = [dict(ranking)[method] for method in results.evaluations]
    best = [best_row(evaluation) for evaluation in results.evaluations.values()]
    probes = [results.probes.methods[method] for method in results.evaluations]
    images = [probe.seconds_per_image(row) for probe, row in zip(probes, rows, strict=True)]
    batch = f"{results.probes.train_batch_size} {comparison.things}"
    return [
        (f"{key} at {comparison.nfe} evaluations", [(number(row.distance), sampler(row)) for row in rows]),
        (
            f"{key} at its best",
            [(number(row.distance), f"{solver_name(row.solver)}, {words.evaluations(row.nfe)}") for row in best],
        ),
        (
            f"1,000 {comparison.things} at {comparison.nfe} evaluations",
            [(unless_none(lambda one: duration(1000 * one), seconds), "") for seconds in images],
        ),
        ("a step of training", [(duration(probe.seconds_per_step), batch) for probe in probes]),
        (
            "peak memory of training",
            [(size(results.train[method].peak_memory_bytes), "") for method in results.evaluations],
        ),
    ]


def sampler(row: EvaluationRow) -> str:
    return f"{solver_name(row.solver)}, {row.steps} step{'s' if row.steps != 1 else ''}"
