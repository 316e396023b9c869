"""The plots of scores and of paired differences. Titles stand in the page, where they can wrap."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from demix.report.colours import MARKERS
from demix.report.figure import Plot
from demix.report.findings import difference_title, score_title
from demix.report.panel import panel, sign
from demix.report.results import METRICS, Results, excludes_zero
from demix.report.svg import INKS, STYLE, render
from demix.report.verdict import better
from demix.report.words import decibels, interval

LOWEST_DB = -20.0


def score_plots(results: Results) -> list[Plot]:
    """Draw every system's score per stem, one figure a metric."""
    return [draw_scores(results, metric) for metric in METRICS]


def difference_plots(results: Results) -> list[Plot]:
    """Draw the paired differences per stem, one figure a metric that has some."""
    return [draw_differences(results, metric) for metric in METRICS if results.comparisons(metric)]


def draw_scores(results: Results, metric: str) -> Plot:
    """Draw every system's score per stem: one line a stem, one sign a system."""
    stems = ("mean", *results.stems)
    name, title = f"scores-{metric}", score_title(results, metric)
    cells = [
        (system, stem, value)
        for system in sorted(results.systems, key=lambda system: system.is_net)
        for stem in stems
        if (value := results.score(metric, system.name, stem)) is not None
    ]
    with rc_context(STYLE):
        figure, axes = panel()
        left = _left_edge([value for _, _, value in cells])
        for system, stem, value in cells:
            # Nets stand above and below the line, so that none hides another.
            apart = min(0.24, 0.7 / len(results.nets)) if system.is_net else 0.0
            shift = apart * (results.nets.index(system) - (len(results.nets) - 1) / 2) if system.is_net else 0.0
            sign(axes, max(value, left), stems.index(stem) + shift, system.colour)
        _label_stems(axes, stems)
        cut = f"left edge: {decibels(left, digits=0)} or less" if left > -np.inf else "right is better"
        axes.set_xlabel(f"{metric}, dB ({cut})")
        text = "; ".join(f"{system.label}, {stem} {decibels(value)} dB" for system, stem, value in cells)
        drawing = render(figure, name=name, text=f"{metric} per stem and system. {text}.")
    rows = tuple((system.name, system.label, system.seeds, stem, value) for system, stem, value in cells)
    return Plot(name, title, drawing, ("system", "label", "seeds", "stem", f"{metric}_db"), rows)


def draw_differences(results: Results, metric: str) -> Plot:
    """Draw the paired difference of two nets per stem with its 95 % interval; filled where it excludes zero."""
    differences, (first, second) = results.comparisons(metric), results.nets[:2]
    name = f"difference-{metric}"
    with rc_context(STYLE):
        figure, axes = panel()
        axes.axvline(0, color=INKS["muted"], linewidth=1)
        for place, row in enumerate(differences):
            decided, system = excludes_zero(row), better(results, row)
            ink = INKS[system.colour if decided else "muted"]
            axes.plot([row.low_db, row.high_db], [place, place], color=ink, solid_capstyle="round")
            axes.plot(
                row.difference_db,
                place,
                MARKERS[system.colour],
                markersize=8,
                color=ink if decided else INKS["card"],
                markeredgecolor=ink,
                markeredgewidth=1.6,
            )
        _label_stems(axes, [row.stem for row in differences])
        ends = [abs(x) for row in differences for x in (row.difference_db, row.low_db, row.high_db) if np.isfinite(x)]
        edge = 1.12 * max([0.1, *ends])
        axes.set_xlim(-edge, edge)
        axes.set_xlabel(f"difference of {metric}, dB")
        for x, side, system in ((0.0, "left", first), (1.0, "right", second)):
            axes.text(
                x,
                1.03,
                f"{system.label} better",
                ha=side,
                color=INKS[system.colour],
                transform=axes.transAxes,
            )
        text = "; ".join(
            f"{row.stem} {decibels(row.difference_db, signed=True)} dB, interval {interval(row.low_db, row.high_db)}"
            for row in differences
        )
        words = f"{second.label} minus {first.label}, {metric}, with 95 % intervals: {text}."
        drawing = render(figure, name=name, text=words)
    columns = ("stem", "difference_db", "low_db", "high_db", "resampled", "units", "songs", "seeds", "wins", "p_value")
    rows = tuple(
        (
            *(row.stem, row.difference_db, row.low_db, row.high_db),
            *(row.unit, row.units, row.songs, row.seeds, row.wins, row.p_value),
        )
        for row in differences
    )
    return Plot(name, difference_title(results, metric), drawing, columns, rows)


def _left_edge(values: Sequence[float]) -> float:
    """Cut the axis where a stem that is almost silent would squeeze all the rest; minus infinity for no cut."""
    defined = [value for value in values if value == value]
    return LOWEST_DB if defined and min(defined) < LOWEST_DB else -np.inf


def _label_stems(axes: Axes, stems: Sequence[str]) -> None:
    axes.set_yticks(range(len(stems)), labels=stems)
    for label in axes.get_yticklabels():
        label.set_color(INKS["ink"])
    axes.invert_yaxis()
    axes.set_ylim(len(stems) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
