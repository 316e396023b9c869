"""Repetition against the difference of the nets: does the ViT gain where the music repeats?"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from demix.config import STEMS
from demix.evaluation.probes.repetition import RepetitionRow
from demix.evaluation.probes.slope import Point, Slope, fit_slope, pair_points
from demix.evaluation.scores import read_seconds
from demix.report.drawing import panels
from demix.report.figure import Cell, Plot
from demix.report.measured import read_measured
from demix.report.results import Results, System
from demix.report.spread import Estimate
from demix.report.svg import INKS, render
from demix.report.words import count, decibels, interval, join

Fitted = tuple[list[Point], Slope]
COLUMNS = ("stem", *Point._fields, "slope_db_per_unit", "low_db_per_unit", "high_db_per_unit", "unit")


def repetition_plots(results: Results) -> list[Plot]:
    """Draw difference against repetition per stem, with the slope; empty where it was not measured.

    Raises:
        DemixError: when repetition.csv is malformed, or a run has no scores on one of its songs.
    """
    rows = read_repetition(results)
    if not rows or len(results.nets) < 2:
        return []
    first, second = results.nets[:2]
    seconds = read_seconds(results.folder / "seconds.csv")
    songs = {row.track for row in seconds}
    rows = [row for row in rows if row.track in songs]
    fitted: dict[str, Fitted] = {}
    for stem in STEMS:
        points = pair_points(rows, seconds, second.runs, first.runs, stem=stem)
        slope = fit_slope(points)
        shown = [point for point in points if point.whole == (slope.unit == "songs")]
        if shown:
            fitted[stem] = shown, slope
    return [_plot(fitted, first, second)] if fitted else []


def read_repetition(results: Results) -> list[RepetitionRow]:
    """Read probes/repetition.csv; empty where it is absent.

    Raises:
        DemixError: when it is malformed.
    """
    columns = ("start_seconds", "seconds", "score", "bars")
    table = read_measured(results.folder / "probes" / "repetition.csv", text=("track", "stem"), number=columns)
    if table is None:
        return []
    texts = zip(table.text["track"].tolist(), table.text["stem"].tolist(), strict=True)
    numbers = zip(*(table.number[name].tolist() for name in columns), strict=True)
    return [
        RepetitionRow(track, stem, start, seconds, score, int(bars))
        for (track, stem), (start, seconds, score, bars) in zip(texts, numbers, strict=True)
    ]


def estimate_of(slope: Slope) -> Estimate:
    """Return a slope as an estimate."""
    return Estimate(slope.slope_db, slope.low_db, slope.high_db, slope.units)


def _plot(fitted: Mapping[str, Fitted], first: System, second: System) -> Plot:
    data: list[tuple[Cell, ...]] = []
    with panels(2, 2, height_inches=4.2, sharex=True, sharey=True) as (figure, grid):
        for axes, stem in zip(grid, STEMS, strict=True):
            axes.axhline(0, color=INKS["muted"], linewidth=1)
            axes.set_title(stem, loc="left", fontsize=9.5)
            if stem not in fitted:
                continue
            points, slope = fitted[stem]
            x, y = [point.score for point in points], [point.difference_db for point in points]
            axes.plot(x, y, "o", markersize=4.5, color=INKS["ink"], alpha=0.45, markeredgewidth=0)
            estimate = estimate_of(slope)
            colour = (second if slope.slope_db > 0 else first).colour if estimate.decided else "muted"
            # Windows: a line for each song, as it was fitted.
            for song in sorted({point.track for point in points}) if slope.unit == "windows" else [None]:
                _line(axes, [point for point in points if song in (None, point.track)], slope, INKS[colour])
            data += [(stem, *point, None, None, None, None) for point in points]
            data.append((stem, None, None, None, None, None, None, *estimate[:3], slope.unit))
        for axes in grid[2:]:
            axes.set_xlabel("repetition score")
        for axes in grid[::2]:
            axes.set_ylabel(f"{second.label} − {first.label}, dB")
        title = slopes_title({stem: slope for stem, (_, slope) in fitted.items()}, second)
        text = "; ".join(
            f"{stem}: slope {interval(slope.low_db, slope.high_db)}" for stem, (_, slope) in fitted.items()
        )
        drawing = render(figure, name="repetition", text=f"{title}. {text}.")
    slope = max((slope for _, slope in fitted.values()), key=lambda each: each.units)
    songs = count(slope.songs, "song")
    about = (
        f"A dot is one of {songs}; the slope speaks about other songs of their kind."
        if slope.unit == "songs"
        else f"A dot is a window of {songs}; one slope for all, within songs: it says nothing about other songs."
    )
    note = f"{about} Wedges: the slope’s 95 % interval. Only music that exists was compared: this is no experiment."
    return Plot("repetition", title, drawing, COLUMNS, tuple(data), note)


def _line(axes: Axes, points: Sequence[Point], slope: Slope, ink: str) -> None:
    """Draw the slope through the middle of some points, and the wedge of its interval."""
    if not points or slope.slope_db != slope.slope_db:
        return
    x = np.array([point.score for point in points])
    places = np.array([x.min(), x.mean(), x.max()])
    middle = float(np.mean([point.difference_db for point in points]))
    low, high, line = (middle + each * (places - x.mean()) for each in (slope.low_db, slope.high_db, slope.slope_db))
    axes.fill_between(places, low, high, color=ink, alpha=0.13, linewidth=0)
    axes.plot(places, line, color=ink)


def slopes_title(slopes: Mapping[str, Slope], second: System) -> str:
    """Say for which stems the second net's lead changes with repetition."""
    said = [
        f"the {second.label}’s lead {'grows' if slope.slope_db > 0 else 'shrinks'} on {stem} "
        f"({decibels(slope.slope_db, digits=1, signed=True)} dB from score 0 to 1)"
        for stem, slope in slopes.items()
        if estimate_of(slope).decided
    ]
    if not said:
        return "Repetition and the difference of the nets: cannot tell for any stem"
    return f"With repetition {join(said)}" + ("; cannot tell for the rest" if len(said) < len(slopes) else "")
