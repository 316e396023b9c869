"""Repetition against the difference of the nets: does the ViT gain where the music repeats?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from demix.config import STEMS
from demix.evaluation.scores import SecondRow, read_seconds
from demix.evaluation.statistics import ENOUGH_SONGS
from demix.metrics import Energies, Floats, sdr_from_energies
from demix.report.drawing import panels
from demix.report.figure import Cell, Plot
from demix.report.measured import Measured, read_measured
from demix.report.results import Results, System
from demix.report.spread import Estimate, slope_of
from demix.report.svg import INKS, render
from demix.report.words import count, decibels, interval, join

QUIET_SHARE = 1e-3  # a window with less energy than this share of the stem's mean has no sdr to speak of
WHOLE_SHARE = 0.95  # a window that holds this much of a song is the song


class Point(NamedTuple):
    """One song or window: how repetitive a stem is in it, and how far the second net is ahead."""

    track: str
    stem: str
    start_seconds: float
    seconds: float
    score: float
    difference_db: float


def repetition_plots(results: Results) -> list[Plot]:
    """Draw difference against repetition per stem, with the slope; empty where it was not measured.

    Raises:
        DemixError: when repetition.csv is malformed.
    """
    columns = ("start_seconds", "seconds", "score")
    rows = read_measured(results.folder / "probes" / "repetition.csv", text=("track", "stem"), number=columns)
    if rows is None or len(results.nets) < 2:
        return []
    points, unit = points_of(rows, read_seconds(results.folder / "seconds.csv"), results.nets[:2])
    return [_plot(points, unit, results.nets[:2])] if points else []


def points_of(rows: Measured, seconds: Sequence[SecondRow], nets: Sequence[System]) -> tuple[list[Point], str]:
    """Pair every repetition score with the nets' difference over the same music.

    Args:
        rows: of repetition.csv.
        seconds: of seconds.csv.
        nets: the two nets; the difference is the second's `sdr` minus the first's, the mean over seeds.

    Returns:
        The points, and what they are: `songs`, where there are at least `ENOUGH_SONGS`, else `windows`.
    """
    runs = {run for net in nets for run in net.runs}
    table = _energies(row for row in seconds if row.system in runs)
    length = {track: energies.reference.shape[-1] for (_, track), energies in table.items()}
    points: dict[bool, list[Point]] = {True: [], False: []}
    texts = zip(rows.text["track"].tolist(), rows.text["stem"].tolist(), strict=True)
    numbers = zip(*(rows.number[name].tolist() for name in ("start_seconds", "seconds", "score")), strict=True)
    for (track, stem), (start, span, score) in zip(texts, numbers, strict=True):
        if track not in length or stem not in STEMS or score != score:
            continue
        part = slice(round(start), max(round(start) + 1, round(start + span)))
        if not _sounds(table, nets[0], track, stem, part):
            continue
        first, second = (_sdr(table, net, track, stem, part) for net in nets)
        if np.isfinite(first) and np.isfinite(second):
            whole = start == 0 and span >= WHOLE_SHARE * (length[track] - 1)
            points[whole].append(Point(track, stem, start, span, score, second - first))
    songs = {point.track for point in points[True]}
    if len(songs) >= ENOUGH_SONGS or not points[False]:
        return points[True], "songs"
    return points[False], "windows"


def _energies(rows: Iterable[SecondRow]) -> Mapping[tuple[str, str], Energies]:
    """Gather energies `(stems, seconds)` per (system, song)."""
    seconds = list(rows)
    length: dict[tuple[str, str], int] = {}
    for row in seconds:
        length[row.system, row.track] = max(length.get((row.system, row.track), 0), row.second + 1)
    table = {
        key: Energies(*(np.zeros((len(STEMS), size)) for _ in range(2)), np.zeros((len(STEMS), size), bool))
        for key, size in length.items()
    }
    for row in seconds:
        song = table[row.system, row.track]
        song.reference[STEMS.index(row.stem), row.second] = row.reference_energy
        song.error[STEMS.index(row.stem), row.second] = row.error_energy
    return table


def _sounds(table: Mapping[tuple[str, str], Energies], net: System, track: str, stem: str, part: slice) -> bool:
    """Tell whether a stem sounds in a window, by its true energy."""
    energy = next((table[run, track].reference[STEMS.index(stem)] for run in net.runs if (run, track) in table), None)
    return energy is not None and bool(energy[part].size and energy[part].mean() > QUIET_SHARE * energy.mean())


def _sdr(table: Mapping[tuple[str, str], Energies], net: System, track: str, stem: str, part: slice) -> float:
    """Return a net's `sdr` over some seconds of a song, the mean over its runs."""
    songs = [table[run, track] for run in net.runs if (run, track) in table]
    index = STEMS.index(stem)
    values: Floats = np.array(
        [
            sdr_from_energies(Energies(song.reference[index, part], song.error[index, part], song.counted[index, part]))
            for song in songs
        ]
    )
    return float(values.mean()) if len(values) else float("nan")


def _plot(points: Sequence[Point], unit: str, nets: Sequence[System]) -> Plot:
    data: list[tuple[Cell, ...]] = []
    slopes: dict[str, Estimate] = {}
    first, second = nets
    with panels(2, 2, height_inches=4.2, sharex=True, sharey=True) as (figure, grid):
        for axes, stem in zip(grid, STEMS, strict=True):
            chosen = [point for point in points if point.stem == stem]
            x, y = np.array([p.score for p in chosen]), np.array([p.difference_db for p in chosen])
            axes.axhline(0, color=INKS["muted"], linewidth=1)
            axes.plot(x, y, "o", markersize=4.5, color=INKS["ink"], alpha=0.45, markeredgewidth=0)
            axes.set_title(stem, loc="left", fontsize=9.5)
            data += [(*point, None, None, None) for point in chosen]
            if (line := slope_of(x, y)) is None:
                continue
            slopes[stem] = line.slope
            data.append((None, stem, None, None, None, None, *line.slope[:3]))
            places = np.linspace(x.min(), x.max(), 20)
            middle, half = line.at(places)
            colour = nets[line.slope.value > 0].colour if line.slope.decided else "muted"
            axes.fill_between(places, middle - half, middle + half, color=INKS[colour], alpha=0.15, linewidth=0)
            axes.plot(places, middle, color=INKS[colour])
        for axes in grid[2:]:
            axes.set_xlabel("repetition score")
        for axes in grid[::2]:
            axes.set_ylabel(f"{second.label} − {first.label}, dB")
        title = _title(slopes, second)
        text = "; ".join(f"{stem}: slope {interval(slope.low, slope.high)}" for stem, slope in slopes.items())
        drawing = render(figure, name="repetition", text=f"{title}. {text}.")
    songs = count(len({point.track for point in points}), "song")
    dots = songs if unit == "songs" else f"{count(len(points), 'window')} of {songs} (windows of one song are alike)"
    note = f"A dot is one of {dots}; line and band: least squares with its 95 % interval, per unit of the score (0 to 1)."
    columns = (*Point._fields, "slope_db_per_unit", "low_db_per_unit", "high_db_per_unit")
    return Plot("repetition", title, drawing, columns, tuple(data), note)


def _title(slopes: Mapping[str, Estimate], second: System) -> str:
    decided = {stem: slope for stem, slope in slopes.items() if slope.decided}
    said = [
        f"the {second.label}’s lead {'grows' if slope.value > 0 else 'shrinks'} on {stem} "
        f"({decibels(slope.value, digits=1, signed=True)} dB per unit)"
        for stem, slope in decided.items()
    ]
    if not said:
        return "Repetition and the difference of the nets: cannot tell for any stem"
    return f"With repetition {join(said)}" + ("; cannot tell for the rest" if len(decided) < len(slopes) else "")
