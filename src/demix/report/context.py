"""Context curves: how much a net loses when everything farther away than a radius is replaced."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from demix.config import STEMS
from demix.evaluation.statistics import ENOUGH_SONGS
from demix.metrics import mean_of_defined
from demix.report.drawing import curve, legend, log_axis, panels
from demix.report.field import field_plots
from demix.report.figure import Cell, Plot
from demix.report.measured import Measured, read_measured
from demix.report.part import Part
from demix.report.results import Results, System
from demix.report.spread import Estimate, over_units
from demix.report.svg import INKS, render
from demix.report.words import count, decibels, join

FILLS = {"song": "another song", "silence": "silence"}
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
COLUMNS = ("group", "fill", "stem", "radius_seconds", "loss_db", "low_db", "high_db", "songs")
FLAT_DB = 0.1  # a curve that stays nearer to zero than this is told as flat
KEY = ("system", "group", "track", "stem", "fill")


def context_part(results: Results) -> Part | None:
    """Return the section on how far the nets listen; None where nothing of it was measured.

    Raises:
        DemixError: when a file of the probes is malformed.
    """
    probes = results.folder / "probes"
    plots = [*context_plots(probes, results.nets), *field_plots(probes, results.nets)]
    if not plots:
        return None
    intro = (
        "<p>Everything farther than a radius from a frame is replaced, by another song or by silence, and the loss of "
        "sdr at that frame is measured: where the curve is flat, what lies farther away makes no difference to the "
        "score. Upright lines: inside that radius lies 99 % of the change of the estimates, however small it is. The "
        "gradient’s receptive field says how far a net <em>could</em> be moved; attention distance says where the ViT "
        "looks, which need not matter for what comes out. Windows are longer than the nets’ training segments: what a "
        "curve shows beyond half of a segment is what a net does with lengths that it was never trained on.</p>"
    )
    return Part("context", "How far they listen", intro, tuple(plots))


def context_plots(probes: Path, nets: Sequence[System]) -> list[Plot]:
    """Draw the curves of the mean over the stems, one plot a fill, and the stems one by one.

    Raises:
        DemixError: when context.csv or listening.csv is malformed.
    """
    numbers = ("radius_seconds", "loss_db", "low_db", "high_db")
    rows = read_measured(probes / "context.csv", text=KEY, number=numbers)
    reach = read_measured(probes / "listening.csv", text=KEY, number=("radius_seconds", "reaches_edge"))
    if rows is None:
        return []
    nets = [net for net in nets if net.name in rows.unique("group")]
    fills = [fill for fill in FILLS if fill in rows.unique("fill")]
    if not nets or not fills:
        return []
    plots = [_mean_plot(rows, reach, nets, fill) for fill in fills]
    return [*plots, _stems_plot(rows, nets, fills[0])]


def losses(rows: Measured, group: str, fill: str, stem: str) -> dict[float, Estimate]:
    """Return radius -> loss in dB with its interval, mean over seeds and songs.

    With at least `ENOUGH_SONGS` songs the interval speaks about songs; with fewer it is made of the intervals that the
    probe measured over frames, and speaks about these songs only.

    Args:
        rows: of context.csv.
        group: whose.
        fill: what the rest was replaced by.
        stem: one of `STEMS`, or `mean`: the mean of the stems where no row says it.
    """
    chosen = rows.where(group=group, fill=fill)
    if stem in chosen.unique("stem"):
        chosen = chosen.where(stem=stem)
    elif stem != "mean":
        return {}
    found = {}
    for radius in chosen.levels("radius_seconds"):
        here = chosen.where(radius_seconds=radius)
        tracks = here.unique("track")
        of_songs = np.array([mean_of_defined(here.where(track=track).number["loss_db"]) for track in tracks])
        estimate = over_units(of_songs)
        if len(tracks) < ENOUGH_SONGS:
            half = _frames_half(here, tracks)
            estimate = Estimate(estimate.value, estimate.value - half, estimate.value + half, len(tracks))
        found[radius] = estimate
    return found


def _frames_half(rows: Measured, tracks: Sequence[str]) -> float:
    """Return half of the interval of a mean over songs: seeds share the frames, songs do not."""
    halves = []
    for track in tracks:
        here = rows.where(track=track)
        halves.append(float(np.mean((here.number["high_db"] - here.number["low_db"]) / 2)))
    return float(np.sqrt(np.square(halves).sum()) / len(halves))


def listening(reach: Measured | None, group: str, fill: str, stem: str = "mean") -> tuple[float, float, float, bool]:
    """Return how far a group listens: mean, least and most over songs and seeds in seconds, and whether it is a bound.

    NaN where it was not measured.
    """
    if reach is None or stem not in (chosen := reach.where(group=group, fill=fill)).unique("stem"):
        return float("nan"), float("nan"), float("nan"), False
    here = chosen.where(stem=stem)
    radius = here.number["radius_seconds"][np.isfinite(here.number["radius_seconds"])]
    if not len(radius):
        return float("nan"), float("nan"), float("nan"), False
    return float(radius.mean()), float(radius.min()), float(radius.max()), bool(here.number["reaches_edge"].any())


def _mean_plot(rows: Measured, reach: Measured | None, nets: Sequence[System], fill: str) -> Plot:
    data: list[tuple[Cell, ...]] = []
    with panels() as (figure, (axes,)):
        for net in nets:
            found = losses(rows, net.name, fill, "mean")
            x, y = list(found), list(found.values())
            axes.fill_between(
                x, [e.low for e in y], [e.high for e in y], color=INKS[net.colour], alpha=0.15, linewidth=0
            )
            curve(axes, x, [e.value for e in y], net.colour, net.label)
            data += [(net.name, fill, "mean", radius, e.value, e.low, e.high, e.units) for radius, e in found.items()]
            edge = listening(reach, net.name, fill)[0]
            if min(x) <= edge <= max(x):
                axes.axvline(edge, color=INKS[net.colour], linewidth=1.2, linestyle=(0, (4, 2)))
        axes.axhline(0, color=INKS["muted"], linewidth=1)
        log_axis(axes, "radius that is kept, seconds", rows.levels("radius_seconds"), TICKS)
        axes.set_ylabel("loss of sdr, dB")
        legend(axes)
        title = _title({net.label: flat_radius(losses(rows, net.name, fill, "mean")) for net in nets}, fill)
        drawing = render(figure, name=f"context-{fill}", text=f"Loss of sdr against the radius that is kept. {title}.")
    songs = max((int(row[-1] or 0) for row in data), default=0)
    about = "songs" if songs >= ENOUGH_SONGS else "frames of these songs"
    note = f"Mean over stems, seeds and {count(songs, 'song')}; bands: 95 % intervals over {about}."
    return Plot(f"context-{fill}", title, drawing, COLUMNS, tuple(data), note)


def flat_radius(found: Mapping[float, Estimate]) -> tuple[float, bool]:
    """Return the radius from which on the loss stays within `FLAT_DB` of zero, and whether it does only at the last."""
    radii = sorted(found)
    flat = radii[-1]
    for radius in reversed(radii):
        if not abs(found[radius].value) < FLAT_DB:
            break
        flat = radius
    return flat, flat == radii[-1] and len(radii) > 1


def _title(flat: Mapping[str, tuple[float, bool]], fill: str) -> str:
    """Say from which radius on each net loses nothing to speak of."""
    said = [
        f"the {label} loses {'more' if bound else 'less'} than {FLAT_DB:g} dB {'up to' if bound else 'from'} "
        f"±{radius:.1f} s{'' if bound else ' on'}"
        for label, (radius, bound) in flat.items()
    ]
    return f"Replaced by {FILLS[fill]}: {join(said)}"


def _stems_plot(rows: Measured, nets: Sequence[System], fill: str) -> Plot:
    data: list[tuple[Cell, ...]] = []
    with panels(2, 2, height_inches=4.0, sharex=True, sharey=True) as (figure, grid):
        for index, (axes, stem) in enumerate(zip(grid, STEMS, strict=True)):
            for net in nets:
                found = losses(rows, net.name, fill, stem)
                low, high = [e.low for e in found.values()], [e.high for e in found.values()]
                axes.fill_between(list(found), low, high, color=INKS[net.colour], alpha=0.15, linewidth=0)
                curve(axes, list(found), [e.value for e in found.values()], net.colour, net.label, markersize=4)
                data += [(net.name, fill, stem, radius, e.value, e.low, e.high, e.units) for radius, e in found.items()]
            axes.set_title(stem, loc="left", fontsize=9.5)
            axes.axhline(0, color=INKS["muted"], linewidth=1)
            log_axis(axes, "radius, seconds" if index > 1 else "", rows.levels("radius_seconds"), (0.1, 1, 10))
        for axes in grid[::2]:
            axes.set_ylabel("loss of sdr, dB")
        legend(grid[0])
        title = _neediest(rows, nets, fill)
        drawing = render(figure, name="context-stems", text=f"Loss of sdr against the radius, per stem. {title}.")
    note = f"Replaced by {FILLS[fill]}; one panel a stem, the same axes."
    return Plot("context-stems", title, drawing, COLUMNS, tuple(data), note)


def _neediest(rows: Measured, nets: Sequence[System], fill: str) -> str:
    """Say which stem loses most at the smallest radius, per net."""
    said, radius, clear = [], rows.levels("radius_seconds")[0], True
    for net in nets:
        values = {stem: found[radius] for stem in STEMS if radius in (found := losses(rows, net.name, fill, stem))}
        if values:
            stem, most = max(values.items(), key=lambda item: item[1].value)
            clear &= all(most.low > other.high for name, other in values.items() if name != stem)
            said.append(f"the {net.label} loses most on {stem} ({decibels(most.value, digits=1)} dB)")
    return f"With ±{radius:g} s only {join(said)}" + ("" if clear else "; cannot tell from the next stem")
