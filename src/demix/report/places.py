"""Where each net wins: sdr over bands of frequency, and over how loud a stem is in the mixture."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from demix.config import STEMS
from demix.metrics import SDR_EPSILON
from demix.report.drawing import curve, difference_curve, legend, log_axis, panels
from demix.report.figure import Cell, Plot
from demix.report.measured import Floats, Measured, read_measured
from demix.report.part import Part, sides_told
from demix.report.results import Results, System
from demix.report.spread import Estimate, jackknifed
from demix.report.svg import render
from demix.report.words import sentence

TEXT = ("system", "group", "track", "stem")
BAND = ("low_hz", "high_hz", "reference_energy", "error_energy")
LEVEL = (*BAND, "input_low_db", "input_high_db", "cells", "rest_energy")
ALL_BANDS = (0.0, 22050.0)
LOWEST_SDR_DB = -40.0  # below it a stem is as good as silent there, and its sdr says nothing
LOWEST_HZ = 30.0  # where the lowest band, which begins at 0, ends on a logarithmic axis
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)

Place = tuple[float, float]


def places_part(results: Results) -> Part | None:
    """Return the section on bands and levels; None where neither was measured.

    Raises:
        DemixError: when bands.csv or levels.csv is malformed.
    """
    probes = results.folder / "probes"
    bands = read_measured(probes / "bands.csv", text=TEXT, number=BAND)
    levels = read_measured(probes / "levels.csv", text=TEXT, number=LEVEL)
    if levels is not None:
        levels = levels.where(low_hz=ALL_BANDS[0], high_hz=ALL_BANDS[1])
    plots = []
    for kind, rows in (("bands", bands), ("levels", levels)):
        if rows is not None and len(rows):
            nets = [net for net in results.nets if net.name in rows.unique("group")]
            drawn = [_plot(kind, rows.where(stem=stem), stem, nets) for stem in STEMS if stem in rows.unique("stem")]
            plots += [plot for plot in drawn if plot is not None]
    if not plots:
        return None
    intro = (
        "<p>Energies of a stem and of the error are summed over the songs in every band, then over cells of a second "
        "by a band by how loud the stem is in them against the rest of the mixture. Lower panels: the difference "
        "with its "
        "95 % interval over songs (jackknife); filled where it excludes zero. The mixture as estimate lies on its own "
        "level: what a net adds is its distance from that line. Of so many intervals one in twenty excludes zero by "
        "chance alone. Left out: where a stem is as good as silent.</p>"
    )
    return Part("places", "Bands and levels", intro, tuple(plots))


def pooled_sdr(rows: Measured, group: str, place: Place, keys: tuple[str, str], tracks: Sequence[str]) -> float:
    """Return a group's `sdr` in dB at one place over some songs: energies summed over songs, mean over seeds.

    Args:
        rows: one stem's rows.
        group: whose.
        place: both ends of the band or level.
        keys: the columns that hold them.
        tracks: the songs.
    """
    chosen = rows.where(group=group, **{keys[0]: place[0], keys[1]: place[1]})
    chosen = chosen.only(np.isin(chosen.text["track"], list(tracks)))
    values = []
    for system in chosen.unique("system"):
        of_system = chosen.where(system=system)
        energies = [of_system.number[name].sum() + SDR_EPSILON for name in ("reference_energy", "error_energy")]
        values.append(10 * np.log10(energies[0] / energies[1]))
    mean = float(np.mean(values)) if values else float("nan")
    return mean if mean >= LOWEST_SDR_DB else float("nan")


def difference_at(rows: Measured, nets: Sequence[System], place: Place, keys: tuple[str, str]) -> Estimate:
    """Return how far the second net is ahead at one place, with the jackknife's interval over songs."""
    here = rows.where(**{keys[0]: place[0], keys[1]: place[1]})
    tracks = here.unique("track")

    def difference(kept: npt.NDArray[np.bool_]) -> float:
        some = [track for track, keep in zip(tracks, kept, strict=True) if keep]
        first, second = (pooled_sdr(here, net.name, place, keys, some) for net in nets)
        return second - first

    return jackknifed(difference, len(tracks))


def _plot(kind: str, rows: Measured, stem: str, nets: Sequence[System]) -> Plot | None:
    keys = ("low_hz", "high_hz") if kind == "bands" else ("input_low_db", "input_high_db")
    tracks = rows.unique("track")
    places = sorted(set(zip(*(rows.number[key].tolist() for key in keys), strict=True)) - {ALL_BANDS})
    places = [p for p in places if all(np.isfinite(pooled_sdr(rows, net.name, p, keys, tracks)) for net in nets)]
    if not places:
        return None
    x = [_centre(place, kind) for place in places]
    lines = {net.name: [pooled_sdr(rows, net.name, place, keys, tracks) for place in places] for net in nets}
    mixture = _mixture(rows, places, keys) if kind == "levels" else None
    differences = [difference_at(rows, nets[:2], place, keys) for place in places] if len(nets) > 1 else []
    name = f"{kind}-{stem}"
    with panels(2 if differences else 1, 1, height_inches=4.0 if differences else 2.8, sharex=True) as (figure, grid):
        for net in nets:
            curve(grid[0], x, lines[net.name], net.colour, net.label)
        if mixture is not None:
            curve(grid[0], x, mixture.tolist(), "mixture", "mixture as estimate", linewidth=1, linestyle=(0, (3, 2)))
        grid[0].set_ylabel("sdr, dB")
        legend(grid[0])
        if differences:
            difference_curve(grid[1], x, differences, nets[:2])
            grid[1].set_ylabel("difference, dB")
        label = "frequency, Hz" if kind == "bands" else f"{stem} against the rest of the mixture, dB"
        if kind == "bands":
            log_axis(grid[-1], label, x, TICKS_HZ)
        else:
            grid[-1].set_xlabel(label)
            grid[0].set_ylim(bottom=min(value for line in lines.values() for value in line) - 3)
        title = f"{sentence(stem)}: {_finding(differences, places, kind, nets)}"
        text = "; ".join(f"{net.label} {', '.join(f'{value:.1f}' for value in lines[net.name])} dB" for net in nets)
        drawing = render(figure, name=name, text=f"{title}. {label}. {text}.")
    data: list[tuple[Cell, ...]] = []
    for index, place in enumerate(places):
        found = differences[index][:3] if differences else (None, None, None)
        level = None if mixture is None else float(mixture[index])
        data.append((stem, *place, *(lines[net.name][index] for net in nets), level, *found, len(tracks)))
    columns = ("stem", *keys, *(f"{net.name}_sdr_db" for net in nets), "mixture_sdr_db")
    return Plot(name, title, drawing, (*columns, "difference_db", "low_db", "high_db", "songs"), tuple(data))


def _mixture(rows: Measured, places: Sequence[Place], keys: tuple[str, str]) -> Floats:
    """Return the `sdr` of the mixture as estimate at every place: its error is the rest of the mixture."""
    one = rows.where(system=rows.unique("system")[0])  # the same for every net
    ratios = []
    for place in places:
        here = one.where(**{keys[0]: place[0], keys[1]: place[1]})
        energies = [here.number[name].sum() + SDR_EPSILON for name in ("reference_energy", "rest_energy")]
        ratios.append(10 * np.log10(energies[0] / energies[1]))
    return np.array(ratios)


def _finding(differences: Sequence[Estimate], places: Sequence[Place], kind: str, nets: Sequence[System]) -> str:
    if not differences:
        return f"sdr over {kind}"
    return sides_told(differences, [_name(place, kind) for place in places], nets[:2])


def _centre(place: Place, kind: str) -> float:
    low, high = place
    if kind == "bands":
        return float(np.sqrt(max(low, LOWEST_HZ) * high))
    ends = [end for end in place if np.isfinite(end)]
    return sum(ends) / len(ends)


def _name(place: Place, kind: str) -> str:
    low, high = place
    if kind == "levels":
        if np.isinf(low) or np.isinf(high):
            return f"less than {high:g} dB".replace("-", "−") if np.isinf(low) else f"more than {low:g} dB"
        return f"{low:g} to {high:g} dB".replace("-", "−")
    return f"{low:g} to {high:g} Hz" if high < 1000 else f"{low / 1000:g} to {high / 1000:g} kHz"
