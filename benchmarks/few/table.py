"""The lines of a study as Markdown: means over seeds, with Student's t intervals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.gpu.report import number, table
from fm.metrics.intervals import mean_interval

Line = Mapping[str, Any]
Key = tuple[str, str, int]
"""Row, sampler and evaluations."""


def page(lines: Sequence[Line], beside: str) -> str:
    """Tables for each dataset, budget and what is equal.

    Args:
        beside: the row that the others are compared with.
    """
    parts = []
    for group in sorted({(line["dataset"], line["equal"], line["budget"]) for line in lines}):
        some = [line for line in lines if (line["dataset"], line["equal"], line["budget"]) == group]
        parts += section(some, group, beside)
    return "\n\n".join(parts) + "\n"


def section(lines: Sequence[Line], group: tuple[str, str, int], beside: str) -> list[str]:
    dataset, equal, budget = group
    one = lines[0]
    seeds = len({line["seed"] for line in lines})
    title = (
        f"**{dataset}, equal {equal}: {budget:,} images of {beside}.** `{name_of(one)}` of {one['sets']} sets of "
        f"{one['each']} images, floor {number(one['floor'])}; {seeds} seed{'s' * (seeds > 1)}, {one['device']}"
    )
    found = by_key(lines)
    wanted = sorted({key[2] for key in found})
    distances = [
        (f"{row}, {sampler}", *(cell(found.get((row, sampler, calls))) for calls in wanted))
        for row, sampler in dict.fromkeys((row, sampler) for row, sampler, _ in found)
    ]
    return [
        title,
        table(("evaluations", *map(str, wanted)), distances),
        table(
            ("of one Euler step, of the same evaluations, of the best at most 10", *map(str, wanted)),
            ratios(found, wanted, beside),
        ),
        table(("precision / recall / recognised / nearness / copied", *map(str, wanted)), others(found, wanted)),
        table(("row", "images", "seconds of training", "images/s", "at once"), budgets(lines)),
    ]


def name_of(line: Line) -> str:
    return "fid" if line["extractor"] == "inception" else f"fid_{line['extractor']}"


def by_key(lines: Iterable[Line]) -> dict[Key, dict[int, Line]]:
    """By seed."""
    found: dict[Key, dict[int, Line]] = {}
    for line in lines:
        if line["evaluations"] is not None:
            found.setdefault((line["row"], line["sampler"], line["evaluations"]), {})[line["seed"]] = line
    return found


def cell(seeds: Mapping[int, Line] | None) -> str:
    """Mean and half of the interval: over seeds, or of one seed over its sample sets."""
    if not seeds:
        return ""
    values = [line["distance"] for line in seeds.values()]
    if len(values) == 1:
        (line,) = seeds.values()
        return f"{number(line['distance'])} ± {number(line['high'] - line['distance'])}"
    mean, _, high = mean_interval(values)
    return f"{number(mean)} ± {number(high - mean)}"


def ratios(found: Mapping[Key, Mapping[int, Line]], wanted: Sequence[int], beside: str) -> list[tuple[str, ...]]:
    """Of every row's best sampler: to one Euler step of `beside`, its best at as many evaluations, and its best."""
    best = {(row, calls): best_of(found, row, calls) for row, _, _ in found for calls in wanted}
    euler = found.get((beside, "euler", 1))
    plain = min((one for (row, _), one in best.items() if row == beside and one), key=mean, default=None)
    rows = dict.fromkeys(row for row, _, _ in found)
    made = []
    for row in rows:
        cells = []
        for calls in wanted:
            mine = best[row, calls]
            against = (euler, best.get((beside, calls)), plain)
            cells.append(" / ".join(ratio(mine, other) for other in against) if mine else "")
        made.append((row, *cells))
    return made


def best_of(found: Mapping[Key, Mapping[int, Line]], row: str, calls: int) -> Mapping[int, Line] | None:
    return min((one for key, one in found.items() if (key[0], key[2]) == (row, calls)), key=mean, default=None)


def mean(seeds: Mapping[int, Line]) -> float:
    return sum(line["distance"] for line in seeds.values()) / len(seeds)


def ratio(mine: Mapping[int, Line], other: Mapping[int, Line] | None) -> str:
    """Geometric mean over the seeds that both have; several give an interval."""
    shared = sorted(mine.keys() & (other or {}).keys())
    if not shared or other is None:
        return "–"
    logs = [math.log(mine[seed]["distance"] / other[seed]["distance"]) for seed in shared]
    if len(logs) == 1:
        return number(math.exp(logs[0]))
    middle, low, high = mean_interval(logs)
    return f"{number(math.exp(middle))} ({number(math.exp(low))} to {number(math.exp(high))})"


def others(found: Mapping[Key, Mapping[int, Line]], wanted: Sequence[int]) -> list[tuple[str, ...]]:
    """Of every row's best sampler, means over seeds."""
    made = []
    for row in dict.fromkeys(row for row, _, _ in found):
        cells = []
        for calls in wanted:
            best = best_of(found, row, calls)
            if best is None:
                cells.append("")
                continue
            names = ("precision", "recall", "recognised", "nearness", "copied")
            means = [average([line[name] for line in best.values()]) for name in names]
            cells.append(" / ".join(means))
        made.append((row, *cells))
    return made


def average(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.2f}" if known else "–"


def budgets(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    made = []
    for row in dict.fromkeys(line["row"] for line in lines):
        some = [line for line in lines if line["row"] == row]
        names = ("images", "seconds", "images_per_second", "jobs")
        values = [sum(line[name] for line in some) / len(some) for name in names]
        made.append((row, f"{values[0]:,.0f}", *(number(value) for value in values[1:3]), f"{values[3]:.0f}"))
    return made


def costs(lines: Sequence[Line]) -> str:
    """Of steps: one table a network."""
    parts = []
    for network in dict.fromkeys(line["network"] for line in lines):
        some = [line for line in lines if line["network"] == network]
        title = f"**{network}**, batches of {some[0]['batch']}, {some[0]['precision']}, {some[0]['device']}"
        cells = [(line["objective"], number(1000 * line["seconds"]), number(line["ratio"])) for line in some]
        parts += [title, table(("objective", "ms a step", "ratio"), cells)]
    return "\n\n".join(parts) + "\n"
