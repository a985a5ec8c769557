"""Figures and names as people read them."""

import math
import re
from collections.abc import Callable

from fm import sheets
from fm.components import known
from fm.conditions import Conditioner, Given, Text
from pipelines.schemas.evaluation import distance_key

MOST_QUOTED = 60  # characters
SETTING = re.compile(r"^([a-z_]+?)_?([0-9].*)$")

ABBREVIATIONS = {"edm", "ddpm", "ot", "cfm"}


def distance_in_words(extractor: str) -> str:
    """What a Frechet distance in the features of an extractor is, beside its name."""
    of_the_library = known("extractor").get(extractor)
    if of_the_library is None:
        return "It is measured in the features of your own extractor; it is not FID."
    if distance_key(extractor) == "fid":
        return f"It is FID: measured in {of_the_library.says}."
    return f"It is measured in {of_the_library.says}; it is not FID and compares with nothing outside this page."


def method_in_text(method: str) -> str:
    """`flow_matching` is flow matching, `ot_cfm` OT CFM."""
    return " ".join(word.upper() if word in ABBREVIATIONS else word for word in method.split("_"))


def method_name(method: str) -> str:
    """`flow_matching` is Flow matching."""
    return capital(method_in_text(method))


def capital(text: str) -> str:
    """A text as a sentence begins with it."""
    return text[:1].upper() + text[1:]


def solver_name(label: str) -> str:
    """A sampler's label (SamplerSettings.label) for people: `DPM-Solver++(2M), clipped, guidance 1.5`."""
    solver, *settings = label.split("-")
    words = [
        "clipped" if one in ("clip", "clip1") else SETTING.sub(r"\1 \2", one).replace("_", " ", 1) for one in settings
    ]
    titles = {name: one.title for name, one in known("solver").items()}
    return ", ".join([titles.get(solver, solver), *words])


def in_turn(conditioner: Conditioner) -> str:
    """What the pictures of a sheet are of (fm.sheets), as it stands there.

    >>> from fm.conditions import Labels
    >>> in_turn(Labels(("cat", "dog")))
    'the labels in turn, a column each: cat, dog'
    """
    if isinstance(conditioner, Given):
        return "with nothing given"
    are_texts = isinstance(conditioner, Text)
    examples = [quoted(one) if are_texts else one for one in conditioner.examples]
    if not examples:
        return "without a text" if are_texts else "without labels"
    columns = sheets.columns(len(examples))
    order = "a column each" if len(examples) == columns else f"row by row, {columns} in each"
    shown = ", ".join(examples[: sheets.ROWS * columns])
    return f"{'these texts' if are_texts else 'the labels'} in turn, {order}: {shown}"


def quoted(text: str) -> str:
    """A text of anybody's, its beginning where it is long; what cannot be printed is replaced.

    >>> quoted("a red heart " * 9)
    '“a red heart a red heart a red heart a red heart a red heart…”'
    """
    line = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))
    return f"“{beginning(line)}”"


def beginning(text: str) -> str:
    """A text's first MOST_QUOTED characters, the whole where it has no more.

    >>> beginning("a red heart"), len(beginning("a heart, " * 9))
    ('a red heart', 61)
    """
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED].rstrip()}…"


def number(value: float) -> str:
    """Three significant digits, no exponent where a person would write none."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-", "−")
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}" if digits < 7 else f"{value:.2e}"
    return text.replace("-", "−")


def with_interval(value: float, low: float, high: float) -> str:
    return f"{number(value)} ({number(low)} to {number(high)})"


def percent(part: float) -> str:
    return f"{100 * part:.1f}%".replace("-", "−")


def duration(seconds: float) -> str:
    if seconds < 1:
        return f"{number(1000 * seconds)} ms"
    if seconds < 90:
        return f"{number(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def evaluations(nfe: int) -> str:
    """So many calls of a network.

    >>> evaluations(1), evaluations(10)
    ('1 evaluation', '10 evaluations')
    """
    return f"{nfe:,} evaluation{'' if nfe == 1 else 's'}"


def roughly(seconds: float) -> str:
    """For what is foretold."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def unless_none(said: Callable[[float], str], value: float | None) -> str:
    """A dash stands for what was not measured."""
    return "–" if value is None else said(value)


def size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
