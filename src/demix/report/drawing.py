"""What the plots of the evidence have in common: panels, axes of seconds, differences with their intervals."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from demix.report.colours import MARKERS
from demix.report.panel import SIZE_INCHES, sign
from demix.report.results import System
from demix.report.spread import Estimate
from demix.report.svg import INKS, STYLE
from demix.report.words import glue

SMALL = 8.5  # points
LABEL_LETTERS = 22  # longer names of rows take two lines


@contextmanager
def panels(
    rows: int = 1,
    columns: int = 1,
    *,
    height_inches: float = SIZE_INCHES[1],
    sharex: bool = False,
    sharey: bool = False,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure in the page's style with `rows * columns` panels, row by row."""
    with rc_context(STYLE):
        figure = Figure(figsize=(SIZE_INCHES[0], height_inches), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
        for panel in axes:
            panel.tick_params(length=0, which="both")
        yield figure, axes


def log_axis(axes: Axes, label: str, values: Sequence[float], ticks: Sequence[float]) -> None:
    """Give a logarithmic axis whose ticks are read as numbers: those of `ticks` that `values` reach."""
    axes.set_xscale("log")
    low, high = min(values), max(values)
    shown = [tick for tick in ticks if 0.99 * low <= tick <= 1.01 * high]
    axes.set_xticks(shown)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g}" if value < 1000 else f"{value / 1000:g}k")
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)


def difference_rows(axes: Axes, rows: Sequence[tuple[str, Estimate, str]]) -> None:
    """Draw one line a row: its name, its difference with the interval, filled where that excludes zero.

    Args:
        axes: the panel.
        rows: (name, difference in dB, colour).
    """
    axes.axvline(0, color=INKS["muted"], linewidth=1)
    for row, (_, estimate, colour) in enumerate(rows):
        axes.plot([estimate.low, estimate.high], [row, row], color=INKS[colour], solid_capstyle="round")
        sign(axes, estimate.value, row, colour, hollow=not estimate.decided)
    axes.set_yticks(range(len(rows)), labels=[fill(glue(name), LABEL_LETTERS) for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    for label in axes.get_yticklabels():
        label.set_color(INKS["ink"])


def edge_of(estimates: Iterable[Estimate]) -> float:
    """Return the half-width of an axis that holds all values and intervals; at least 0.1."""
    ends = [abs(end) for estimate in estimates for end in estimate[:3] if np.isfinite(end)]
    return 1.12 * max([0.1, *ends])


def difference_curve(axes: Axes, x: Sequence[float], estimates: Sequence[Estimate], sides: Sequence[System]) -> None:
    """Draw differences against `x` with their intervals, each in the colour of the net that it speaks for.

    Args:
        axes: the panel; its upright axis is `sides[1]` minus `sides[0]`.
        x: places on the axis.
        estimates: one a place.
        sides: the two nets.
    """
    axes.axhline(0, color=INKS["muted"], linewidth=1)
    axes.plot(x, [estimate.value for estimate in estimates], color=INKS["muted"], linewidth=1)
    for place, estimate in zip(x, estimates, strict=True):
        colour = sides[estimate.value > 0].colour
        axes.plot([place, place], [estimate.low, estimate.high], color=INKS[colour], linewidth=1.4)
        sign(axes, place, estimate.value, colour, hollow=not estimate.decided, size=6)
    edge = 1.2 * edge_of(estimates)
    axes.set_ylim(-edge, edge)
    for y, align, system in ((0.99, "top", sides[1]), (0.01, "bottom", sides[0])):
        axes.text(
            0.01,
            y,
            f"{system.label} better",
            va=align,
            fontsize=SMALL,
            color=INKS[system.colour],
            transform=axes.transAxes,
        )


def curve(axes: Axes, x: Sequence[float], y: Sequence[float], colour: str, label: str, **line: Any) -> None:
    """Draw a line with the sign of its system at every point, named for the legend."""
    settings = {"linewidth": 1.6, "marker": MARKERS[colour], "markersize": 5, "markeredgewidth": 0.7, **line}
    axes.plot(x, y, color=INKS[colour], markeredgecolor=INKS["card"], label=label, **settings)


def legend(axes: Axes, **settings: Any) -> None:
    """Name the lines inside the drawing, so that it can be read away from the page."""
    box = axes.legend(fontsize=SMALL, handlelength=2, borderaxespad=0.2, labelspacing=0.3, **settings)
    for text in box.get_texts():
        text.set_color(INKS["ink"])
