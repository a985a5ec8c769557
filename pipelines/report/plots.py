"""Plots as inline SVG whose colours and font are the page's own, so that they follow light and dark."""

import io
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, geometric_mean
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pipelines.schemas.evaluation import Curve as Values
from pipelines.schemas.evaluation import CurveOfData, Evaluation, EvaluationRow
from pipelines.schemas.probes import MethodProbe
from pipelines.words import solver_name

# Drawn in these colours and turned into the style sheet's variables afterwards.
INK, MUTED, GRID = "#0a0b0c", "#7a7b7c", "#dadbdc"
SERIES = ("#010203", "#020304", "#030405", "#040506", "#050607", "#060708")
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line"} | {
    colour: f"--series-{index}" for index, colour in enumerate(SERIES)
}

# No two solvers of a method share a line and a marker: colour alone tells methods apart, never solvers.
STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), ((0, (1, 3)), "v"))

# As wide as a phone, so that text keeps its size there; wider screens put two beside each other.
SIZE = (5.2, 4.1)
ROWS, ROW = 5, 0.17
"""Of a legend: those that SIZE has room for, and the inches that each further one takes."""
CHARACTERS = 66
"""Of two entries of a legend that fit beside each other."""

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True)
class Curve:
    """The loss of one training as it went."""

    images_seen: Sequence[float]
    loss: Sequence[float]


def colour(index: int) -> str:
    return SERIES[index % len(SERIES)]


def distance_plot(
    evaluations: dict[str, Evaluation], names: dict[str, str], key: str, nfe: int, codec_floor: float | None = None
) -> str:
    """Distance against evaluations, both logarithmic, with interval bars, the floors and the deciding column."""
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panel()
        for index, (method, evaluation) in enumerate(evaluations.items()):
            draw_method(axes, evaluation, names[method], colour(index))
        floor = next(iter(evaluations.values())).floor
        axes.axvline(nfe, color=GRID, linewidth=6, zorder=0)
        axes.axhline(floor, color=MUTED, linestyle=(0, (6, 3)), linewidth=1, label="real test images (floor)")
        if codec_floor is not None:
            axes.axhline(
                codec_floor, color=MUTED, linestyle=(0, (1, 3)), linewidth=1, label="given back (codec's floor)"
            )
        axes.set(yscale="log", xlabel="network evaluations per image", ylabel=key)
        log_ticks(axes, {row.nfe for evaluation in evaluations.values() for row in evaluation.rows}, nfe)
        plain_numbers(axes)
        legend(figure, axes)
        return as_svg(figure, "distance", f"{key} against network evaluations per image")


def log_ticks(axes: Axes, values: Collection[float], first: float | None = None) -> None:
    """A logarithmic x axis with a line at each of the values, and a label at those whose labels do not touch."""
    ticks = sorted(values)
    labelled = apart(ticks, first)
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" if tick in labelled else "" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def apart(values: Sequence[float], first: float | None = None) -> set[float]:
    """Those of the values whose labels do not touch on a logarithmic axis; `first` rather than another."""
    width = math.log(max(values) / min(values))

    def touch(one: float, other: float) -> bool:
        # A digit is about a fiftieth of the axis wide, and half of each label lies between the two, and a space.
        return abs(math.log(one / other)) < (len(f"{one:g}{other:g}") + 2) * width / 100

    kept: set[float] = set()
    for value in sorted(values, key=lambda one: (one != first, one)):
        if not any(touch(value, other) for other in kept):
            kept.add(value)
    return kept


def draw_method(axes: Axes, evaluation: Evaluation, name: str, shade: str) -> None:
    solvers = list(dict.fromkeys(row.solver for row in evaluation.rows))
    for solver, (line, marker) in zip(solvers, STYLES * len(solvers), strict=False):
        rows = sorted((row for row in evaluation.rows if row.solver == solver), key=lambda row: row.nfe)
        axes.errorbar(
            [row.nfe for row in rows],
            [row.distance for row in rows],
            yerr=bars(rows),
            color=shade,
            linestyle=line,
            marker=marker,
            markersize=5,
            linewidth=1.8,
            capsize=3,
            label=f"{name}, {solver_name(solver)}",
        )


def bars(rows: list[EvaluationRow]) -> list[list[float]]:
    """Interval ends as lengths; on a logarithmic axis the lower one has to stop above zero."""
    below = [min(row.distance - row.distance_low, 0.9 * row.distance) for row in rows]
    return [below, [row.distance_high - row.distance for row in rows]]


def loss_plot(curves: dict[str, Curve], names: dict[str, str]) -> str:
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panel()
        for index, (method, curve) in enumerate(curves.items()):
            line, _ = STYLES[index % len(STYLES)]
            axes.plot(
                curve.images_seen, curve.loss, color=colour(index), linestyle=line, linewidth=1.6, label=names[method]
            )
        axes.set(yscale="log", xlabel="images seen", ylabel="training loss, each its own")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        plain_numbers(axes)
        legend(figure, axes)
        return as_svg(figure, "loss", "training loss against images seen")


def convergence_plot(probes: dict[str, MethodProbe], names: dict[str, str]) -> str:
    """How far few steps are from many, by steps, both logarithmic."""
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panel()
        many = next(iter(probes.values())).many
        for index, (method, probe) in enumerate(probes.items()):
            line, marker = STYLES[index % len(STYLES)]
            steps = [one.steps for one in probe.convergence]
            means = [geometric_mean(one.distances) for one in probe.convergence]
            axes.plot(steps, means, color=colour(index), linestyle=line, marker=marker, label=names[method])
        axes.set(yscale="log", xlabel="steps", ylabel=f"pixels' distance to {many} steps")
        log_ticks(axes, {one.steps for probe in probes.values() for one in probe.convergence})
        plain_numbers(axes)
        legend(figure, axes)
        return as_svg(figure, "convergence", "distance of a few steps from many")


def pixels_plot(probes: dict[str, MethodProbe], names: dict[str, str]) -> str:
    """The way of a few pixels from noise to data, along the straight path for every method."""
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panel()
        for index, (method, probe) in enumerate(probes.items()):
            line, _ = STYLES[index % len(STYLES)]
            for number, values in enumerate(probe.pixels):
                times = [step / (len(values) - 1) for step in range(len(values))]
                label = names[method] if number == 0 else None
                axes.plot(times, values, color=colour(index), linestyle=line, linewidth=1.1, label=label)
        axes.set(xlabel="t, from noise (0) to data (1)", ylabel="value of a pixel")
        legend(figure, axes)
        return as_svg(figure, "pixels", "trajectories of a few pixels from noise to data")


def guidance_plot(probes: dict[str, MethodProbe], names: dict[str, str]) -> str:
    """How often the classifier sees the label that was asked for, by scale of guidance; nothing where it knows none."""
    if not all(probe.guidance for probe in probes.values()):
        return ""
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panel()
        for index, (method, probe) in enumerate(probes.items()):
            line, marker = STYLES[index % len(STYLES)]
            scales = [one.scale for one in probe.guidance]
            shares = [100 * fmean(one.recognised) for one in probe.guidance]
            axes.plot(scales, shares, color=colour(index), linestyle=line, marker=marker, label=names[method])
        axes.set(xlabel="scale of guidance (1: none)", ylabel="images of the right class, %")
        ticks = sorted({one.scale for probe in probes.values() for one in probe.guidance})
        axes.set_xticks(ticks, [f"{scale:g}" for scale in ticks])
        legend(figure, axes)
        return as_svg(figure, "guidance", "share of images recognised, by scale of guidance")


def curve_plot(curves: Mapping[str, Values], of: CurveOfData) -> str:
    """A figure for each of some numbers, methods by their names, and the test split's in grey."""
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panel()
        draw_values(axes, of.test, color=MUTED, linestyle=(0, (6, 3)), linewidth=1, label="test split")
        for index, (name, values) in enumerate(curves.items()):
            draw_values(axes, values, color=colour(index), label=name)
        axes.set(xlabel=of.along, ylabel=of.unit)
        legend(figure, axes)
        return as_svg(figure, of.name, f"{of.says} by {of.along}")


def draw_values(axes: Axes, values: Values, **look: Any) -> None:
    """From number 1 on; a gap where there is nothing to say."""
    axes.plot(range(1, len(values) + 1), [math.nan if one is None else one for one in values], **look)


@dataclass(frozen=True)
class Line:
    """One line of a plot of several trainings: those of one training seed share a look."""

    name: str
    shade: int
    seed: int
    x: Sequence[float]
    y: Sequence[float]


def lines_plot(lines: Sequence[Line], name: str, title: str, x: str, y: str, log_x: bool) -> str:
    """Figures of several trainings, a line each; colour tells what was trained, the line's style the seed."""
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panel()
        named: set[str] = set()
        for line in lines:
            style, marker = STYLES[line.seed % len(STYLES)]
            axes.plot(
                line.x,
                line.y,
                color=colour(line.shade),
                linestyle=style,
                marker=marker,
                markersize=4,
                linewidth=1.4,
                label=None if line.name in named else line.name,
            )
            named.add(line.name)
        axes.set(yscale="log", xlabel=x, ylabel=y)
        if log_x:
            log_ticks(axes, {value for line in lines for value in line.x})
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        plain_numbers(axes)
        legend(figure, axes)
        return as_svg(figure, name, title)


def legend(figure: Figure, axes: Axes) -> None:
    """Under the plot, where it hides nothing; the floor comes last, and bars need no explanation."""
    entries = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda entry: "floor" in entry[1])
    handles = [handle[0] if isinstance(handle, ErrorbarContainer) else handle for handle, _ in entries]
    labels = [label for _, label in entries]
    columns = columns_for(labels)
    width, height = SIZE
    figure.set_size_inches(width, height + ROW * max(math.ceil(len(labels) / columns) - ROWS, 0))
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, fontsize=8.5, handlelength=2.8, columnspacing=1
    )


def columns_for(labels: Sequence[str]) -> int:
    """Two, filled one after the other, where their longest entries fit beside each other.

    >>> columns_for(["Euler", "midpoint"]), columns_for(["From diffusion, DPM-Solver++(2M), clipped"] * 2)
    (2, 1)
    """
    first = math.ceil(len(labels) / 2)
    parts = [part for part in (labels[:first], labels[first:]) if part]
    return 2 if sum(max(map(len, part)) for part in parts) <= CHARACTERS else 1


def panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    return figure, figure.add_subplot()


def plain_numbers(axes: Axes) -> None:
    """Label a logarithmic y axis 1, 2, 5, 10, ... instead of powers of ten."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def as_svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an <svg> element: nothing in it depends on the day or points anywhere."""
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = content.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    # Two plots on one page must not share identifiers.
    svg = re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--sans)", svg)
    svg = re.sub("#[0-9a-f]{6}", lambda found: variable(found.group()), svg)
    size = re.search(r'viewBox="[^"]*"', svg)
    assert size is not None
    return re.sub("<svg[^>]*>", f'<svg {size.group()} role="img" aria-label="{title}">', svg, count=1)


def variable(colour_code: str) -> str:
    return f"var({VARIABLES[colour_code]})" if colour_code in VARIABLES else colour_code
