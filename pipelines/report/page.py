"""Puts the page together: everything the template shows is made here, in the order it appears."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from fm.sheets import columns
from pipelines import templates, words
from pipelines.claims.real_time import waited
from pipelines.claims.results import Results
from pipelines.claims.words import VERDICTS, interval, measured
from pipelines.project import NEAREST
from pipelines.ranking import Ranking
from pipelines.report import captions, completion, measures
from pipelines.report.answer import answer
from pipelines.report.conditions import ALIKE, Conditions
from pipelines.report.pictures import data_uri, film_uri, first_row, picture
from pipelines.report.plots import Curve, convergence_plot, distance_plot, guidance_plot, loss_plot, pixels_plot
from pipelines.schemas.comparison import Claim, Comparison
from pipelines.schemas.evaluation import EvaluationRow, distance_key


@dataclass(frozen=True)
class Several:
    """What several trainings add to the page.

    Attributes:
        trainings: how many there were of what, in a few words.
        plots: SVG and what it shows, each.
    """

    trainings: str
    plots: list[tuple[str, str]]


ONE_TRAINING = Several("one training each", [])


@dataclass(frozen=True)
class Contents:
    """What the report is made of.

    Attributes:
        ranking: the deciding row of every method, best first.
        real: grid of training images, laid out as the generated grids are.
        real_film: the same as they move, an animated WebP file; None of what stands still.
        colours: what the colours of measurements stand for; None of pictures.
        examples: what the generated grids are of, in turn: labels or captions.
        samples: the folder with a folder of grids for every method.
        facts: what identifies this report (commit, date, seeds): label and text.
        several: the other trainings of a study, of which everything but the claims shows the first.
        conditions: what is the same for all methods, and what is not.
    """

    comparison: Comparison
    results: Results
    ranking: Ranking
    curves: dict[str, Curve]
    real: Image.Image
    examples: list[str]
    samples: Path
    facts: list[tuple[str, str]]
    several: Several = ONE_TRAINING
    real_film: bytes | None = None
    colours: Image.Image | None = None
    conditions: Conditions = ALIKE

    @property
    def names(self) -> dict[str, str]:
        return {method: words.method_name(method) for method in self.results.evaluations}

    @property
    def first_line(self) -> str:
        return self.conditions.first_line(self.comparison.dataset, self.several.trainings)


def render(contents: Contents) -> str:
    """The whole page. The same contents give the same bytes."""
    return environment().get_template("report.html.j2").render(context(contents))


def render_claims(claims: Sequence[Claim]) -> str:
    """The page's section on the claims alone, as it is on a study's page."""
    return environment().get_template("claims.html.j2").render(of_claims(claims, several=True))


def environment() -> jinja2.Environment:
    return templates.environment(
        Path(__file__).parent,
        number=words.number,
        percent=words.percent,
        duration=partial(words.unless_none, words.duration),
        size=words.size,
        method=words.method_name,
        solver=words.solver_name,
        beginning=words.beginning,
        measured=measured,
        interval=interval,
    )


def context(contents: Contents) -> dict[str, Any]:
    comparison, results = contents.comparison, contents.results
    key = distance_key(comparison.extractor)
    first = next(iter(results.evaluations.values()))
    return {
        "comparison": comparison,
        "first_line": contents.first_line,
        "key": key,
        "confidence": f"{first.confidence:.0%}",
        "names": contents.names,
        "series": {method: index for index, method in enumerate(results.evaluations)},
        "answer": answer(comparison, contents.ranking, results),
        "evaluations": results.evaluations,
        "train": results.train,
        "has_accuracy": any(row.accuracy is not None for each in results.evaluations.values() for row in each.rows),
        "classifier_accuracy": results.classifier_accuracy,
        "distance_plot": distance_plot(
            results.evaluations, contents.names, key, comparison.nfe, comparison.codec_floor
        ),
        "loss_plot": loss_plot(contents.curves, contents.names),
        "convergence_plot": convergence_plot(results.probes.methods, contents.names),
        "pixels_plot": pixels_plot(results.probes.methods, contents.names),
        "guidance_plot": guidance_plot(results.probes.methods, contents.names),
        "probes": results.probes,
        "waiting": waited(results),
        "captions": captions.lines(results.evaluations),
        "captions_how": captions.how(results.evaluations),
        "completion": completion.lines(results.evaluations),
        "completion_how": completion.how(results.evaluations),
        "measures": measures.lines(results.evaluations, contents.ranking),
        "measures_how": measures.HOW,
        "curves": measures.plots(results.evaluations, contents.ranking, contents.names),
        "grids": grids(contents),
        "colours": None if contents.colours is None else data_uri(contents.colours),
        "neighbours": neighbours(contents),
        "extractor": words.distance_in_words(comparison.extractor),
        "strips": {method: strips(contents, method) for method in results.evaluations},
        # A column a label or caption, where the sheets are laid out so.
        "columns": contents.examples if columns(len(contents.examples)) == len(contents.examples) else [],
        "facts": facts_of(contents),
        "several": contents.several,
        **of_claims(comparison.claims, bool(contents.several.plots)),
    }


def of_claims(claims: Sequence[Claim], several: bool) -> dict[str, Any]:
    return {
        "judged": [claim for claim in claims if claim.verdict != "not_measured"],
        "unjudged": [claim for claim in claims if claim.verdict == "not_measured"],
        "verdicts": VERDICTS,
        "by_several": several,
    }


def facts_of(contents: Contents) -> list[tuple[str, str]]:
    """What the report says at its end: label and text."""
    return [times(contents.results), *latents(contents.results), *at_best_length(contents), *contents.facts]


def latents(results: Results) -> list[tuple[str, str]]:
    """What networks were trained on, where it was latents: what made them, what it loses, and what that cost."""
    codec = results.codec
    if codec is None:
        return []
    trained = f"trained on {codec.images_seen:,} images" if codec.images_seen else "taken as it was"
    channels, *grid = codec.shape
    return [
        (
            "latents",
            f"{channels} × {' × '.join(map(str, grid))} by {codec.autoencoder} ({codec.parameters:,} weights, factor "
            f"{codec.factor}, {trained}): {codec.given_back} test images are given back with {codec.psnr:.1f} dB (9 in "
            f"10 between {codec.psnr_low:.1f} and {codec.psnr_high:.1f}); they are then at "
            f"{words.number(codec.distance)} from the training split, and at {words.number(codec.distance_real)} as "
            "they are: no method in these latents can be expected to come closer. To decode one takes "
            f"{words.duration(codec.seconds_per_decoded)}. The codec and encoding took "
            f"{words.duration(results.encoding_seconds)}, once for all methods, and at most "
            f"{words.size(codec.peak_memory_bytes)} of memory",
        )
    ]


def at_best_length(contents: Contents) -> list[tuple[str, str]]:
    """Each method read at the length of averaging that is best for it, where that was tried."""
    tried = {method: one.lengths for method, one in contents.results.evaluations.items() if one.lengths is not None}
    if not tried:
        return []
    key = distance_key(contents.comparison.extractor)
    each = [
        f"{contents.names[method]} {words.with_interval(one.distance, one.distance_low, one.distance_high)} at "
        f"{one.best:g} ({words.number(one.untuned)} by train.ema_decay; {words.solver_name(one.sampler.label)}, "
        f"{one.sampler.steps} steps)"
        for method, one in tried.items()
    ]
    lengths = ", ".join(f"{one.length:g}" for one in next(iter(tried.values())).tried)
    how = f"{key} with weights averaged over the best share of {lengths} of the training, chosen by other sample sets"
    return [("averaging", f"{how}: {'; '.join(each)}")]


def times(results: Results) -> tuple[str, str]:
    """How the times of this page were taken, and what else the machine did meanwhile."""
    probes, trained = results.probes, words.duration(sum(each.seconds for each in results.train.values()))
    load = "what else the machine did meanwhile was not recorded"
    if (loads := probes.machine_load) is not None:
        load = f"meanwhile {loads.samplers}, in the training steps {loads.training_steps.others:.2g}"
    return (
        "times",
        f"Every time on this page was taken method by method in turn, in one go ({probes.device}, {probes.threads} "
        f"threads, samples in batches of {probes.batch_size}); {load}. The trainings took {trained} in all: one after "
        "the other, by themselves they say as much of the machine's load as of the methods."
        + "".join(f" {sentence}" for sentence in gone_on(results)),
    )


def gone_on(results: Results) -> list[str]:
    """Which methods' networks go on from another's, and what they have cost in all."""
    return [
        f"{method} goes on from {before.method}: it has seen {before.images_seen:,} + {trained.images_seen:,} = "
        f"{trained.images_seen_in_all:,} images in {words.duration(before.seconds)} + "
        + (f"{words.duration(before.pairs_seconds)} of making pairs + " if before.pairs_seconds else "")
        + f"{words.duration(trained.seconds)} = {words.duration(trained.seconds_in_all)}."
        for method, trained in results.train.items()
        if (before := trained.before) is not None
    ]


def grids(contents: Contents) -> list[tuple[str, str, str]]:
    """Title, remark and image: the real images, then every method's at the deciding number of evaluations."""
    deciding = {method: dict(contents.ranking)[method] for method in contents.results.evaluations}
    generated = [
        (
            contents.names[method],
            f"{words.solver_name(row.solver)}, {words.evaluations(row.nfe)}",
            shown(grid(contents, method, row), film(contents, method, row)),
        )
        for method, row in deciding.items()
    ]
    real = shown(contents.real, contents.real_film)
    what = "Real images" if contents.real_film is None and contents.colours is None else "Real data"
    return [(what, "of the training split", real), *generated]


def shown(image: Image.Image, film: bytes | None) -> str:
    """A grid as it moves, or as it stands where it does not."""
    return data_uri(image) if film is None else film_uri(film)


def film(contents: Contents, method: str, row: EvaluationRow) -> bytes | None:
    path = contents.samples / method / f"{row.solver}-{row.steps}.webp"
    return path.read_bytes() if path.exists() else None


def neighbours(contents: Contents) -> list[tuple[str, EvaluationRow, str]]:
    """For every method: its deciding row, and samples of it over the training images nearest to them."""
    deciding = {method: dict(contents.ranking)[method] for method in contents.results.evaluations}
    return [
        (method, row, data_uri(picture(contents.samples / method / f"{row.solver}-{row.steps}{NEAREST}")))
        for method, row in deciding.items()
    ]


def strips(contents: Contents, method: str) -> list[tuple[EvaluationRow, str]]:
    """The same noise with more and more evaluations: one image of every class at each number that was measured, its
    best solver's."""
    evaluation = contents.results.evaluations[method]
    best = [evaluation.best(contents.comparison.metric, nfe) for nfe in sorted({row.nfe for row in evaluation.rows})]
    return [(row, data_uri(first_row(grid(contents, method, row)))) for row in best]


def grid(contents: Contents, method: str, row: EvaluationRow) -> Image.Image:
    return picture(contents.samples / method / f"{row.solver}-{row.steps}.png")
