"""The report as Markdown, for a pull request: the answer, its costs, the claims and every sampler, without pictures."""

from collections.abc import Iterable, Sequence

from pipelines.claims.results import Results
from pipelines.report import words
from pipelines.report.answer import answer
from pipelines.report.page import Contents, times
from pipelines.report.words import number, percent
from pipelines.schemas.comparison import Claim
from pipelines.schemas.evaluation import EvaluationRow, distance_key


def markdown(contents: Contents) -> str:
    """The whole text. The same contents give the same bytes."""
    comparison, results = contents.comparison, contents.results
    first = answer(comparison, contents.ranking, results)
    key = distance_key(comparison.extractor)
    sections = [
        f"# {first.headline}",
        f"{comparison.dataset}, same network and budget, {contents.several.trainings}. " + " ".join(first.sentences),
        costs(list(contents.names.values()), first.table),
        f"Lower is better; real test images score {number(comparison.floor)} at this sample size. `{key}`: "
        + words.EXTRACTORS.get(comparison.extractor, words.OWN_EXTRACTOR),
        "## Claims about flow matching",
        claims(comparison.claims),
        "## Every sampler",
        samplers(results, contents.names, key),
        protocol(contents),
    ]
    return "\n\n".join(sections) + "\n"


def costs(names: Sequence[str], table: list[tuple[str, list[tuple[str, str]]]]) -> str:
    rows = [
        (label, *(f"**{figure}**" + (f" ({remark})" if remark else "") for figure, remark in figures))
        for label, figures in table
    ]
    return tabulated(("", *names), rows)


def claims(judged: Sequence[Claim]) -> str:
    """One line a claim, those that were measured first."""
    ordered = sorted(judged, key=lambda claim: claim.verdict == "not_measured")
    return tabulated(
        ("verdict", "claim", "measured", "interval", "claimed"),
        [
            (
                " ".join(words.VERDICTS[claim.verdict]),
                claim.claim,
                words.measured(claim),
                words.interval(claim),
                claim.source_value,
            )
            for claim in ordered
        ],
    )


def samplers(results: Results, names: dict[str, str], key: str) -> str:
    return tabulated(
        ("method", "solver", "evaluations", key, "to test split", "KID", "precision", "recall", "an image takes"),
        [
            line(names[method], row, results.probes.methods[method].seconds_per_image(row))
            for method, evaluation in results.evaluations.items()
            for row in evaluation.rows
        ],
    )


def line(name: str, row: EvaluationRow, seconds: float | None) -> tuple[str, ...]:
    return (
        name,
        words.solver_name(row.solver),
        str(row.nfe),
        f"{number(row.distance)} ({number(row.distance_low)} to {number(row.distance_high)})",
        number(row.distance_test),
        number(row.kid),
        percent(row.precision),
        percent(row.recall),
        words.unless_none(words.duration, seconds),
    )


def protocol(contents: Contents) -> str:
    comparison = contents.comparison
    facts = "; ".join(f"{label}: {text}" for label, text in [times(contents.results), *contents.facts])
    return (
        f"{comparison.num_sets} independent sets of {comparison.num_images} images a sampler, against the "
        f"{comparison.reference}; intervals by Student's t over the sets. {facts}."
    )


def tabulated(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, in which no cell's text can break out of its cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in cells) + " |" for cells in lines)


def escaped(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").replace("<", "&lt;").split())
