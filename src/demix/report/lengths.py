"""How long the pieces are that a net hears: segments in training, chunks at inference."""

from collections.abc import Mapping, Sequence

import numpy as np

from demix.report.control_files import Control
from demix.report.drawing import curve, legend, log_axis, panels
from demix.report.figure import Cell, Plot
from demix.report.measured import Measured, read_measured
from demix.report.part import told
from demix.report.results import Results, System
from demix.report.spread import Estimate, over_units
from demix.report.svg import render
from demix.report.words import decibels

TICKS = (0.5, 1, 1.5, 3, 6, 12, 24, 48)


def segment_plot(controls: Sequence[Control], colours: Mapping[str, str]) -> Plot | None:
    """Draw the score against the length of training segments; None with fewer than two lengths."""
    lines: list[tuple[Control, list[tuple[float, Control]]]] = []
    for plain in (control for control in controls if not control.differences):
        members = [c for c in controls if c.of == plain.of and (c is plain or c.aspect == "segment length")]
        points = [(seconds, c) for c in members if (seconds := c.net.number("segment_seconds")) is not None]
        if len({seconds for seconds, _ in points}) > 1:
            lines.append((plain, sorted(points, key=lambda point: point[0])))
    if not lines:
        return None
    with panels() as (figure, (axes,)):
        for plain, points in lines:
            x, y = [seconds for seconds, _ in points], [control.sdr for _, control in points]
            curve(axes, x, y, colours[plain.of], plain.label)
        every = [seconds for _, points in lines for seconds, _ in points]
        log_axis(axes, "length of a training segment, seconds", every, TICKS)
        axes.set_ylabel("mean sdr, dB")
        legend(axes)
        text = "; ".join(
            f"{plain.label}: " + ", ".join(f"{seconds:g} s {decibels(c.sdr)} dB" for seconds, c in points)
            for plain, points in lines
        )
        drawing = render(figure, name="segment-length", text=f"sdr against the length of training segments. {text}.")
    data: list[tuple[Cell, ...]] = [(c.net.name, c.of, seconds, c.sdr) for _, points in lines for seconds, c in points]
    title = "Segments in training: " + "; ".join(_longest(plain, points) for plain, points in lines)
    note = "The intervals of the differences are in the plot of the segment length beside this one."
    return Plot("segment-length", title, drawing, ("group", "of", "segment_seconds", "sdr_db"), tuple(data), note)


def _longest(plain: Control, points: Sequence[tuple[float, Control]]) -> str:
    best_seconds, best = max(points, key=lambda point: point[1].sdr)
    if best is plain:
        return f"{plain.label}: no segment length scores above its {best_seconds:g} s"
    gain = f"{decibels(best.estimate.value, signed=True)} dB with segments of {best_seconds:g} s"
    return f"{plain.label}: {gain}{'' if best.estimate.decided else ': cannot tell'}"


def chunk_plot(results: Results) -> Plot | None:
    """Draw the score against the length of chunks at inference; None where chunks.csv is absent.

    Raises:
        DemixError: when chunks.csv is malformed.
    """
    rows = read_measured(
        results.folder / "chunks.csv", text=("system", "group", "track", "stem"), number=("chunk_seconds", "sdr")
    )
    nets = [net for net in results.nets if rows is not None and net.name in rows.unique("group")]
    if rows is None or not nets:
        return None
    data: list[tuple[Cell, ...]] = []
    titles = []
    with panels() as (figure, (axes,)):
        for net in nets:
            table = song_means(rows.where(group=net.name))
            x = sorted({seconds for seconds, _ in table})
            tracks = sorted({track for _, track in table})
            values = np.array([[table.get((seconds, track), np.nan) for track in tracks] for seconds in x])
            y = [over_units(row).value for row in values]
            curve(axes, x, y, net.colour, net.label)
            data += [(net.name, seconds, value, len(tracks)) for seconds, value in zip(x, y, strict=True)]
            titles.append(_change(net, x, over_units(values[-1] - values[0])))
        log_axis(axes, "length of a chunk at inference, seconds", rows.levels("chunk_seconds"), TICKS)
        axes.set_ylabel("mean sdr, dB")
        legend(axes)
        text = "Chunks at inference: " + "; ".join(titles)
        drawing = render(figure, name="chunk-length", text=f"sdr against the length of chunks. {text}.")
    columns = ("group", "chunk_seconds", "sdr_db", "songs")
    note = "The trained nets, separating with other chunks than they were trained on; mean over stems, songs and seeds."
    return Plot("chunk-length", text, drawing, columns, tuple(data), note)


def song_means(rows: Measured) -> dict[tuple[float, str], float]:
    """Return (chunk length, song) -> mean sdr over stems and seeds in dB; undefined scores enter nothing."""
    values: dict[tuple[float, str], list[float]] = {}
    for seconds, track, sdr in zip(rows.number["chunk_seconds"], rows.text["track"], rows.number["sdr"], strict=True):
        if np.isfinite(sdr):
            values.setdefault((float(seconds), str(track)), []).append(float(sdr))
    return {key: float(np.mean(of_key)) for key, of_key in values.items()}


def _change(net: System, x: Sequence[float], change: Estimate) -> str:
    if len(x) < 2:
        return f"{net.label}: one length of chunks"
    doubt = "" if change.decided else ", cannot tell"
    return f"{net.label} {told(change)} from {x[0]:g} to {x[-1]:g} s{doubt}"
