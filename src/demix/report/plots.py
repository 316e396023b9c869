"""The plots: scores, paired differences, learning curves. Titles stand in the page, where they can wrap."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demix.report.colours import MARKERS
from demix.report.history import History, smooth
from demix.report.results import Results, System, excludes_zero
from demix.report.svg import INKS, STYLE, render
from demix.report.verdict import better
from demix.report.words import decibels, interval

SIZE_INCHES = (4.2, 2.8)
LOWEST_DB = -20.0


def draw_scores(results: Results, metric: str) -> str:
    """Draw every system's score per stem: one line a stem, one sign a system."""
    stems = ("mean", *results.stems)
    with rc_context(STYLE):
        figure, axes = _panel()
        left = _left_edge(results, metric)
        for system in sorted(results.systems, key=lambda system: system.is_net):
            values = [results.score(metric, system.name, stem) for stem in stems]
            known = [(value, row) for row, value in enumerate(values) if value is not None]
            # Nets stand above and below the line, so that none hides another.
            shift = 0.24 * (results.nets.index(system) - (len(results.nets) - 1) / 2) if system.is_net else 0.0
            line = MARKERS[system.colour] == "|"
            axes.plot(
                [max(value, left) for value, _ in known],
                [row + shift for _, row in known],
                linestyle="none",
                marker=MARKERS[system.colour],
                markersize={"|": 13, "*": 10}.get(MARKERS[system.colour], 8),
                color=INKS[system.colour],
                markeredgecolor=INKS[system.colour if line else "card"],
                markeredgewidth=2.2 if line else 0.7,
                clip_on=False,
            )
        _label_stems(axes, stems)
        cut = f"left edge: {decibels(left, digits=0)} or less" if left > -np.inf else "right is better"
        axes.set_xlabel(f"{metric}, dB ({cut})")
        text = "; ".join(
            f"{system.label}: "
            + ", ".join(f"{stem} {decibels(results.scores[metric][system.name].get(stem))} dB" for stem in stems)
            for system in results.systems
        )
        return render(figure, name=f"scores-{metric}", text=f"{metric} per stem and system. {text}.")


def draw_differences(results: Results, metric: str) -> str:
    """Draw the paired difference of two nets per stem with its 95 % interval; filled where it excludes zero."""
    rows, (first, second) = results.comparisons(metric), results.nets[:2]
    with rc_context(STYLE):
        figure, axes = _panel()
        axes.axvline(0, color=INKS["muted"], linewidth=1)
        for row, difference in enumerate(rows):
            decided, system = excludes_zero(difference), better(results, difference)
            ink = INKS[system.colour if decided else "muted"]
            axes.plot([difference.low_db, difference.high_db], [row, row], color=ink, solid_capstyle="round")
            axes.plot(
                difference.difference_db,
                row,
                MARKERS[system.colour],
                markersize=8,
                color=ink if decided else INKS["card"],
                markeredgecolor=ink,
                markeredgewidth=1.6,
            )
        _label_stems(axes, [difference.stem for difference in rows])
        ends = [abs(x) for row in rows for x in (row.difference_db, row.low_db, row.high_db) if np.isfinite(x)]
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
            for row in rows
        )
        title = f"{second.label} minus {first.label}, {metric}, with 95 % intervals: {text}."
        return render(figure, name=f"difference-{metric}", text=title)


def draw_curves(
    nets: Sequence[System], histories: Mapping[str, History], quantity: str, against: str, text: str
) -> str:
    """Draw `loss` or `valid_sdr` of every net against `step` or `seconds`."""
    with rc_context(STYLE):
        figure, axes = _panel()
        scale, unit = (60.0, "training time, minutes") if against == "seconds" else (1.0, "training steps")
        for net in nets:
            x, y = histories[net.name].curve(quantity, against)
            ink = INKS[net.colour]
            if quantity == "loss":
                axes.plot(x / scale, y, color=ink, alpha=0.22, linewidth=0.8)
                axes.plot(x / scale, smooth(y, max(1, len(y) // 40)), color=ink, label=net.label)
            else:
                axes.plot(x / scale, y, color=ink, marker=MARKERS[net.colour], markersize=4.5, label=net.label)
        axes.set_xlabel(unit)
        axes.set_xlim(left=0)
        axes.set_ylabel("training loss" if quantity == "loss" else "validation sdr, dB")
        return render(figure, name=f"{quantity}-{against}", text=text)


def _left_edge(results: Results, metric: str) -> float:
    """Cut the axis where a stem that is almost silent would squeeze all the rest; minus infinity for no cut."""
    values = [value for scores in results.scores[metric].values() for value in scores.values() if value == value]
    return LOWEST_DB if values and min(values) < LOWEST_DB else -np.inf


def _panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(length=0)
    return figure, axes


def _label_stems(axes: Axes, stems: Sequence[str]) -> None:
    axes.set_yticks(range(len(stems)), labels=stems)
    for label in axes.get_yticklabels():
        label.set_color(INKS["ink"])
    axes.invert_yaxis()
    axes.set_ylim(len(stems) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
