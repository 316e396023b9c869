"""Attention over the spectrogram: where the ViT looks from a patch, laid over what sounds there."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from demix.config import SAMPLE_RATE
from demix.errors import DemixError
from demix.report.drawing import SMALL, panels
from demix.report.figure import Cell, Plot
from demix.report.measured import Floats
from demix.report.part import Part
from demix.report.results import Results, System
from demix.report.spectra import RANGE_DB
from demix.report.svg import render
from demix.report.words import join

MOST_PICTURES = 4
ORANGE = (0.94, 0.53, 0.05)
HALF = 0.5  # the patches marked hold this share of the attention
TICKS_HZ = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
SHAPE = ("rows", "columns", "patch_bands", "patch_frames", "hop_length", "band_hz")


def attention_part(results: Results) -> Part | None:
    """Return the section of the attention maps; None where none were kept.

    Raises:
        DemixError: when attention.json or attention.npz is malformed.
    """
    plots = attention_plots(results)
    if not plots:
        return None
    intro = (
        "<p>Grey: the spectrogram of the mixture in the net’s own bands, the brighter, the louder. Orange: where the "
        "last layer looks, mean over its heads, from the patch that is marked with a cross; outlined: the patches "
        "that get half of its attention. Attention is where a net looks, not what it uses: for that see the context "
        "curves.</p>"
    )
    return Part("attention", "Attention over the spectrogram", intro, tuple(plots))


def attention_plots(results: Results) -> list[Plot]:
    """Draw one picture a query patch, of the first run of each net that attends."""
    path = results.folder / "probes" / "attention.npz"
    if not path.is_file():
        return []
    about, arrays = _read(path)
    plots: list[Plot] = []
    for net in results.nets:
        run = next((run for run in net.runs if f"{run}_maps" in arrays), None)
        if run is None:
            continue
        entry = _entry(path, about, arrays, run)
        picture = arrays[f"{run}_spectrum_db"]
        for index in range(min(MOST_PICTURES, len(arrays[f"{run}_maps"]))):
            query = arrays[f"{run}_query"][index].astype(int)
            plots.append(_plot(net, index, arrays[f"{run}_maps"][index], query, about, entry, picture))
    return plots


def focus(map_: Floats) -> tuple[float, int]:
    """Return the least attention that a patch of the strongest `HALF` gets, and how many patches those are."""
    ordered = np.sort(map_.ravel())[::-1]
    patches = int(np.searchsorted(np.cumsum(ordered), HALF * ordered.sum())) + 1
    return float(ordered[min(patches, len(ordered)) - 1]), patches


def _plot(
    net: System,
    index: int,
    map_: Floats,
    query: Any,
    about: Mapping[str, Any],
    entry: Mapping[str, Any],
    picture: Floats,
) -> Plot:
    row, column = query
    level, patches = focus(map_)
    rows, columns = map_.shape
    # The last column of patches may reach beyond the end.
    width = float(entry["patch_frames"]) * float(entry["hop_length"]) / SAMPLE_RATE
    seconds = float(about["seconds"])
    edges = np.asarray(entry["band_hz"], dtype=np.float64)
    bands_a_row = (len(edges) - 1) / rows
    name = f"attention-{net.name}-{index + 1}"
    extent = (0.0, columns * width, 0.0, float(rows))
    with panels(height_inches=3.0) as (figure, (axes,)):
        axes.grid(visible=False)
        top = float(picture.max())
        axes.imshow(
            picture,
            extent=(0.0, seconds, 0.0, len(picture) / float(entry["patch_bands"])),
            origin="lower",
            aspect="auto",
            cmap="gray",
            vmin=top - RANGE_DB,
            vmax=top,
            interpolation="none",
        )
        shares = map_ / map_.max()
        veil = np.zeros((rows, columns, 4))
        veil[..., :3], veil[..., 3] = ORANGE, 0.75 * shares
        axes.imshow(veil, extent=extent, origin="lower", aspect="auto", interpolation="none")
        strong = np.kron(map_ >= level, np.ones((8, 8)))
        times, heights = (
            np.linspace(0, end, size, endpoint=False)
            for end, size in zip((columns * width, rows), strong.T.shape, strict=True)
        )
        if strong.min() < strong.max():
            axes.contour(times, heights, strong, levels=[0.5], colors="white", linewidths=1)
        place = (column + 0.5) * width, row + 0.5
        axes.plot(*place, "X", markersize=11, color="white", markeredgecolor="black", markeredgewidth=1.2)
        ticks = [hz for hz in TICKS_HZ if edges[0] <= hz <= edges[-1]]
        ticks = _apart(ticks, np.interp(ticks, edges, np.arange(len(edges)) / bands_a_row), gap=0.07 * rows)
        axes.set_yticks(
            np.interp(ticks, edges, np.arange(len(edges)) / bands_a_row),
            labels=[f"{hz:g}" if hz < 1000 else f"{hz // 1000}k" for hz in ticks],
            fontsize=SMALL,
        )
        axes.set_xlim(0, min(seconds, columns * width))
        axes.set_xlabel(f"seconds, from {about['start_seconds']:.0f} s on, {about['track']}")
        axes.set_ylabel("frequency, Hz")
        share = f"half of the attention lies in {patches} of {map_.size} patches"
        hz = edges[round((row + 0.5) * bands_a_row)]
        title = f"{net.label}, from {hz:,.0f} Hz at {place[0]:.1f} s: {share}"
        drawing = render(figure, name=name, text=f"Attention of the last layer over the spectrogram. {title}.")
    data: list[tuple[Cell, ...]] = [
        (y, x, round(x * width, 4), *_band(edges, y, bands_a_row), float(map_[y, x]), int((y, x) == (row, column)))
        for y in range(rows)
        for x in range(columns)
    ]
    header = ("row", "column", "start_seconds", "low_hz", "high_hz", "attention", "is_query")
    return Plot(name, title, drawing, header, tuple(data))


def _apart(ticks: Sequence[int], places: Floats, *, gap: float) -> list[int]:
    """Return the ticks that stand far enough from the one kept above them."""
    kept: list[tuple[int, float]] = []
    for tick, place in zip(reversed(ticks), reversed(places.tolist()), strict=True):
        if not kept or kept[-1][1] - place >= gap:
            kept.append((tick, place))
    return [tick for tick, _ in kept]


def _band(edges: Floats, row: int, bands_a_row: float) -> tuple[float, float]:
    return float(edges[round(row * bands_a_row)]), float(edges[round((row + 1) * bands_a_row)])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Floats]]:
    try:
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with np.load(path) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.files}
        if not arrays:  # no net attends
            return {}, {}
        about = {**about, "start_seconds": float(about["start_seconds"]), "seconds": float(about["seconds"])}
        if not isinstance(about["systems"], dict) or not about["track"]:
            raise ValueError("systems are no table")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DemixError(
            f"{path}: expected attention maps with attention.json beside them, received {error!r}; probe again"
        ) from error
    return about, arrays


def _entry(path: Path, about: Mapping[str, Any], arrays: Mapping[str, Floats], run: str) -> Mapping[str, Any]:
    """Return what attention.json says about a run, checked against its arrays."""
    entry, maps, query = about["systems"].get(run), arrays[f"{run}_maps"], arrays.get(f"{run}_query")
    missing = [key for key in SHAPE if entry is None or key not in entry]
    missing += [] if f"{run}_spectrum_db" in arrays else ["spectrum_db"]
    if missing or query is None or query.shape != (len(maps), 2) or maps.shape[1:] != (entry["rows"], entry["columns"]):
        raise DemixError(
            f"{path}: expected {run} with {join(SHAPE)}, maps (queries, rows, columns), queries (queries, 2) and "
            f"spectrum_db, received maps of {maps.shape}; probe again"
        )
    return entry
