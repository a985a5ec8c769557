"""What a team asks next, in words: what it costs to go down to a few evaluations, and to come over from diffusion."""

from collections.abc import Sequence

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
ADDED = 'make run SET="methods.mean_flow=@methods/mean_flow.yaml" adds one that is'


def few_evaluations(comparison: Comparison, ranking: Ranking, results: Results) -> list[str]:
    """The best of all methods at each of FEW, held against the winner at the deciding number of evaluations."""
    winner = ranking[0]
    found = {nfe: best_at(results, comparison.metric, nfe) for nfe in FEW if nfe < comparison.nfe}
    said = [costs(results, nfe, *best, winner) for nfe, best in found.items() if best is not None]
    if missing := [str(nfe) for nfe, best in found.items() if best is None]:
        said.append(f"No row has {' or '.join(missing)} evaluations: Euler's method with as many steps is one.")
    if not any(row.solver == "jump" for evaluation in results.evaluations.values() for row in evaluation.rows):
        said.append(f"No method here was trained for few evaluations: {ADDED}.")
    return said


def best_at(results: Results, metric: str, nfe: int) -> tuple[str, EvaluationRow] | None:
    """The best row with so many evaluations, and whose it is."""
    rows = [
        (evaluation.cost(row, metric), method, row)
        for method, evaluation in results.evaluations.items()
        for row in evaluation.rows
        if row.nfe == nfe
    ]
    return min(rows, key=lambda one: one[0])[1:] if rows else None


def costs(results: Results, nfe: int, method: str, row: EvaluationRow, winner: tuple[str, EvaluationRow]) -> str:
    """One number of evaluations, in quality, sampling time and training."""
    name, reference = winner
    evaluation = results.evaluations[method]
    ratio = ratio_of_pairs(row.distance_sets, reference.distance_sets, evaluation.confidence)
    key = distance_key(evaluation.extractor)
    said = (
        f"With {nfe}, {method_in_text(method)} by {solver_name(row.solver)} is best: {key} {number(row.distance)}, "
        f"{number(ratio.mean)} times ({number(ratio.low)} to {number(ratio.high)}) that of {method_in_text(name)} with "
        f"{reference.nfe}"
    )
    here, there = (results.probes.methods[one].seconds_per_image(at) for one, at in ((method, row), winner))
    if here is not None and there is not None:
        said += f"; an image takes {duration(here)} instead of {duration(there)}"
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
        f"A training that starts from the diffusion model saves {measured(claim)} of one from scratch "
        f"({interval(claim)}). Claimed: {claim.source_value}; {verdict}. {capital(claim.note)}"
    ]
