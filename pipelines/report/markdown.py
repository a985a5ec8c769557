"""The report as Markdown, for a pull request: the answer, its costs, the claims and every sampler, without pictures."""

from collections.abc import Sequence

from pipelines import words
from pipelines.claims.results import Results
from pipelines.claims.words import as_markdown
from pipelines.markup import table
from pipelines.report import captions, completion, measures
from pipelines.report.answer import answer
from pipelines.report.page import Contents, facts_of
from pipelines.schemas.comparison import Comparison
from pipelines.schemas.evaluation import EvaluationRow, distance_key
from pipelines.words import number, percent


def markdown(contents: Contents) -> str:
    """The whole text. The same contents give the same bytes."""
    comparison, results = contents.comparison, contents.results
    first = answer(comparison, contents.ranking, results)
    key = distance_key(comparison.extractor)
    sections = [
        f"# {first.headline}",
        f"**{first.question}**",
        f"{contents.first_line}. " + " ".join(first.sentences),
        costs(list(contents.names.values()), first.table),
        f"Lower is better; real test {comparison.things} score {number(comparison.floor)} at this sample size"
        f"{given_back(comparison)}. `{key}`: " + words.distance_in_words(comparison.extractor),
        *(f"**{question}**\n\n{' '.join(sentences)}" for question, sentences in first.others),
        *data_right(contents),
        *captions_followed(contents),
        *data_completed(contents),
        "## Claims about flow matching",
        as_markdown(comparison.claims),
        "## Every sampler",
        samplers(results, contents.names, key, comparison.thing),
        protocol(contents),
    ]
    return "\n\n".join(sections) + "\n"


def given_back(comparison: Comparison) -> str:
    found = comparison.codec_floor
    return "" if found is None else f", and {number(found)} where the codec has encoded and decoded them"


def costs(names: Sequence[str], lines: list[tuple[str, list[tuple[str, str]]]]) -> str:
    rows = [
        (label, *(f"**{figure}**" + (f" ({remark})" if remark else "") for figure, remark in figures))
        for label, figures in lines
    ]
    return table(("", *names), rows)


def data_right(contents: Contents) -> list[str]:
    """Where something is measured of the data beside distances."""
    lines = measures.lines(contents.results.evaluations, contents.ranking)
    if not lines:
        return []
    rows = [
        (f"{line.what} ({line.aim})", *(figure(*one) for one in line.figures), figure(*line.test), line.train)
        for line in lines
    ]
    head = ("", *contents.names.values(), "test split", "training split")
    return ["## Are the data right?", table(head, rows), measures.HOW]


def figure(value: str, ends: str) -> str:
    return f"**{value}** ({ends})" if ends else value


def captions_followed(contents: Contents) -> list[str]:
    """Where networks are told captions."""
    lines = captions.lines(contents.results.evaluations)
    if not lines:
        return []
    head = ("", *contents.names.values(), "captions shuffled", "real images")
    rows = [
        (
            line.what,
            *(f"**{share}** ({ends})" if ends else share for share, ends in line.shares),
            line.floor,
            line.ceiling,
        )
        for line in lines
    ]
    return ["## Are captions followed?", table(head, rows), captions.how(contents.results.evaluations)]


def data_completed(contents: Contents) -> list[str]:
    """Where a part of the data is given."""
    evaluations = contents.results.evaluations
    if not (lines := completion.lines(evaluations)):
        return []
    head = ("", *contents.names.values(), "right would be, or else")
    rows = [(line.what, *(figure(*one) for one in line.figures), line.right) for line in lines]
    return ["## Is the rest told from the part that is given?", table(head, rows), completion.how(evaluations)]


def samplers(results: Results, names: dict[str, str], key: str, thing: str) -> str:
    return table(
        ("method", "solver", "evaluations", key, "to test split", "KID", "precision", "recall", f"{thing} takes"),
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
        words.with_interval(row.distance, row.distance_low, row.distance_high),
        number(row.distance_test),
        number(row.kid),
        percent(row.precision),
        percent(row.recall),
        words.unless_none(words.duration, seconds),
    )


def protocol(contents: Contents) -> str:
    comparison = contents.comparison
    facts = "; ".join(f"{label}: {text}" for label, text in facts_of(contents))
    return (
        f"{comparison.num_sets} independent sets of {comparison.num_images} images a sampler, against the "
        f"{comparison.reference}; intervals by Student's t over the sets. {facts}."
    )
