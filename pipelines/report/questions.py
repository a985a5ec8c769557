"""What a team asks next, in words: what it costs to go down to a few evaluations, and to come over from diffusion."""

from collections.abc import Sequence

from fm.metrics.intervals import Interval
from pipelines.claims.distances import all_extrapolated, held_out, of_infinitely_many
from pipelines.claims.migration import how_to_measure
from pipelines.claims.results import Results
from pipelines.claims.side_by_side import ratio_of_pairs
from pipelines.claims.words import VERDICTS, interval, measured
from pipelines.params import Roles
from pipelines.ranking import Ranking
from pipelines.schemas.comparison import Claim, Comparison
from pipelines.schemas.evaluation import EvaluationRow, distance_key
from pipelines.words import capital, duration, method_in_text, number, solver_name

FEW = (1, 2, 4)
MIGRATION = "migration"
"""The claim that says what a training saves that starts from a diffusion model."""
OF_INFINITELY_MANY = "extrapolated to infinitely many images"
AS_THEY_ARE = "as they are, whose common bias shrinks them"
ADDED = 'make run SET="methods.mean_flow=@methods/mean_flow.yaml" adds one that is'


def few_evaluations(comparison: Comparison, ranking: Ranking, results: Results) -> list[str]:
    """The best of all methods at each of FEW, held against the winner at the deciding number of evaluations."""
    winner = ranking[0]
    level = results.evaluations[winner[0]].confidence
    found = {nfe: best_at(results, comparison.metric, nfe) for nfe in FEW if nfe < comparison.nfe}
    beside = distances_at(results, comparison.metric, winner[1].nfe)
    said = [
        costs(results, best, winner, ratio_of_pairs(distances_at(results, comparison.metric, nfe), beside, level))
        for nfe, best in found.items()
        if best is not None
    ]
    if missing := [str(nfe) for nfe, best in found.items() if best is None]:
        said.append(f"No row has {' or '.join(missing)} evaluations: Euler's method with as many steps is one.")
    if any(best is not None for best in found.values()):
        said.append(
            f"The ratios are of distances {OF_INFINITELY_MANY if extrapolates(results) else AS_THEY_ARE}, in each "
            "sample set those of the rows that are best in the others."
        )
    if not any(is_for_few(results, method) for method in results.evaluations):
        said.append(f"No method here was trained for few evaluations: {ADDED}.")
    return said or [f"Nothing is fewer than {comparison.nfe}, the number that decides (register.nfe)."]


def extrapolates(results: Results) -> bool:
    """Whether ratios are taken without the common bias of few images, which shrinks them."""
    return all_extrapolated(results.evaluations.values())


def is_for_few(results: Results, method: str) -> bool:
    """Whether a network is told where its steps end, or was trained on pairs of noise and what became of it."""
    before = results.train[method].before
    made = before is not None and before.pairs_seconds > 0
    return made or any(row.solver == "jump" for row in results.evaluations[method].rows)


def rows_at(results: Results, nfe: int) -> list[tuple[str, EvaluationRow]]:
    """Every row with so many evaluations, behind its method."""
    return [
        (method, row) for method, evaluation in results.evaluations.items() for row in evaluation.rows if row.nfe == nfe
    ]


def best_at(results: Results, metric: str, nfe: int) -> tuple[str, EvaluationRow] | None:
    """The best row with so many evaluations, and whose it is."""
    rows = rows_at(results, nfe)
    return min(rows, key=lambda one: results.evaluations[one[0]].cost(one[1], metric)) if rows else None


def distances_at(results: Results, metric: str, nfe: int) -> list[float]:
    """The distance of the best row with so many evaluations, set by set, as it is best in the other sets."""
    there = rows_at(results, nfe)
    rows = [row for _, row in there]
    chosen_by = [results.evaluations[method].costs(row, metric) for method, row in there]
    return held_out(of_infinitely_many(rows) if extrapolates(results) else rows, chosen_by)


def costs(results: Results, best: tuple[str, EvaluationRow], winner: tuple[str, EvaluationRow], ratio: Interval) -> str:
    """One number of evaluations, in quality, sampling time and training.

    Args:
        ratio: of the distance to that of the winner.
    """
    (method, row), (name, reference) = best, winner
    key = distance_key(results.evaluations[method].extractor)
    said = (
        f"With {row.nfe}, {method_in_text(method)} by {solver_name(row.solver)} is best: {key} {number(row.distance)}, "
        f"{number(ratio.mean)} times ({number(ratio.low)} to {number(ratio.high)}) that of {method_in_text(name)} with "
        f"{reference.nfe}"
    )
    own, other = (results.probes.methods[one].seconds_per_image(at) for one, at in (best, winner))
    if own is not None and other is not None:
        said += f"; an image takes {duration(own)} instead of {duration(other)}"
    return said + training_cost(results, method, name) + "."


def training_cost(results: Results, method: str, winner: str) -> str:
    """A training beside plain flow matching's, whoever wins; that one's beside the winner's."""
    plain = results.roles.ours
    other = plain if plain in results.train and method != plain else winner
    if method == other:
        return ""
    both = "" if results.train[method].before is None else ", with the one that it goes on from,"
    times = number(training(results, method) / training(results, other))
    return f"; its training{both} takes {times} times as long as that of {method_in_text(other)}"


def training(results: Results, method: str) -> float:
    """Seconds from random weights on, by the time that a step takes where the methods are timed in turn."""
    own = results.probes.methods[method].seconds_per_step * results.train[method].steps
    before = results.train[method].before
    if before is None:
        return own
    first = training(results, before.method) if before.method in results.train else before.seconds
    return own + first + before.pairs_seconds


def coming_over(claims: Sequence[Claim]) -> list[str]:
    """By the claim on migration, or why there is no figure and how to get one."""
    claim = next((one for one in claims if one.id == MIGRATION), None)
    if claim is None:
        return [f"Not measured: {how_to_measure(Roles().over)}."]
    if claim.measured is None:
        return [f"Not measured. {claim.note}"]
    _, verdict = VERDICTS[claim.verdict]
    return [
        f"Going over saves {measured(claim)} of a training from scratch ({interval(claim)}). "
        f"Claimed: {claim.source_value}; {verdict}. {capital(claim.note)}"
    ]
