"""The figure of `generated_songs.py`: generated songs beside real ones, every panel headed by what its numbers say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from song_statistics import Value

from demix.config import STEMS

Values = Mapping[str, Mapping[str, Sequence[Value]]]  # by set and song; the first set is the generated one
Floats = npt.NDArray[np.float64]

# Okabe and Ito's hues, as in the report, and a sign for each set, so that nothing depends on seeing colours.
SETS = (("#0072b2", "o", "-"), ("#bd5100", "s", "--"), ("#8a6d00", "D", ":"), ("#b0307a", "^", "-."))
INK, MUTED, LINE = "#1b1b1f", "#5b5b60", "#d9d6cf"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
HEARD_DB = -30.0  # bands softer than this in both sets are left out of what is said of spectra
BANDED = 8  # a set of fewer songs is drawn without its 10-90 % band
TICKS_HZ = (50, 200, 1000, 5000)


def draw(values: Values, out: Path) -> None:
    """Draw the sets of songs as a PNG."""
    with rc_context(STYLE):
        figure = Figure(figsize=(13, 11.2), dpi=110, layout="constrained", facecolor="white")
        rows: Any = figure.subfigures(4, 1, height_ratios=[0.5, 3.4, 3.2, 3.2])
        _head(rows[0], values)
        panels = rows[1].subplots(1, 5, sharey=True)
        for axes, stem in zip(panels, (*STEMS, "mixture"), strict=True):
            _spectra(axes, values, stem)
        panels[0].set_ylabel("share of the stem's power\nin ⅓ octave, dB")
        panels = rows[2].subplots(1, 5, gridspec_kw={"width_ratios": [4, 1.6, 1.6, 5, 1.6]})
        _strips(panels[0], values, [("level", stem) for stem in STEMS], "stem over mixture, dB", "Levels")
        _strips(panels[1], values, [("level", "mixture")], "level, dBFS", "Mixture")
        _strips(panels[2], values, [("crest", "mixture")], "peak over level, dB", "Crest")
        _strips(panels[3], values, [("width", each) for each in (*STEMS, "mixture")], "sides over middle, dB", "Width")
        _strips(panels[4], values, [("onsets", "drums")], "hits a second", "Drums")
        panels = rows[3].subplots(1, 3)
        _together(panels[0], values)
        _strips(panels[1], values, [("sounds", stem) for stem in STEMS], "share of the seconds", "A stem sounds")
        _strips(panels[2], values, [("free", stem) for stem in STEMS], "share of its power", "Uncovered by others")
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out)


def collect(songs: Mapping[str, Sequence[Value]], measure: str, stem: str, at: float | None = None) -> Floats:
    """Return a number of all songs that have it."""
    return np.array(
        [
            each.value
            for values in songs.values()
            for each in values
            if each.measure == measure and each.stem == stem and (at is None or each.at == at)
        ]
    )


def _head(figure: Any, values: Values) -> None:
    """Name the sets."""
    axes = figure.subplots()
    axes.axis("off")
    for (label, songs), (colour, sign, line) in zip(values.items(), SETS, strict=False):
        axes.plot([], [], color=colour, marker=sign, linestyle=line, label=f"{label}: {len(songs)} songs")
    axes.legend(loc="center left", ncols=len(values), fontsize=11, borderaxespad=0)
    axes.text(
        1,
        0.5,
        "lines and large signs: medians; bands and bars: 10 to 90 % of the songs\n"
        f"in headings: generated medians minus those of {list(values)[1]};\nof spectra, their mean distance",
        fontsize=8.5,
        transform=axes.transAxes,
        ha="right",
        va="center",
        color=MUTED,
    )


def _spectra(axes: Any, values: Values, stem: str) -> None:
    medians = []
    for (colour, _, line), songs in zip(SETS, values.values(), strict=False):
        hertz = sorted({each.at for song in songs.values() for each in song if each.measure == "spectrum"})
        bands = np.array([collect(songs, "spectrum", stem, at) for at in hertz])
        if not bands.size:
            continue
        low, median, high = np.percentile(bands, [10, 50, 90], axis=1)
        if bands.shape[1] >= BANDED:
            axes.fill_between(hertz, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(hertz, median, color=colour, linestyle=line, linewidth=2)
        medians.append(median)
    axes.set_xscale("log")
    axes.set_xticks(TICKS_HZ, labels=[f"{tick}" if tick < 1000 else f"{tick // 1000}k" for tick in TICKS_HZ])
    axes.minorticks_off()
    axes.set_xlabel("Hz")
    axes.set_ylim(-62, 0)
    title = stem.capitalize()
    if len(medians) > 1:
        heard = np.maximum(medians[0], medians[1]) > HEARD_DB
        title += f"\n{np.abs(medians[0] - medians[1])[heard].mean():.1f} dB apart"
    axes.set_title(title)


def _strips(
    axes: Any,
    values: Values,
    rows: Sequence[tuple[str, str]],
    unit: str,
    name: str,
) -> None:
    """Draw all songs as small signs, with median and 10 to 90 %, for every (measure, stem)."""
    gaps = []
    step = 0.8 / len(values)
    for place, (measure, stem) in enumerate(rows):
        medians = []
        for number, ((colour, sign, _), songs) in enumerate(zip(SETS, values.values(), strict=False)):
            found = collect(songs, measure, stem)
            if not found.size:
                continue
            x = place + (number - (len(values) - 1) / 2) * step
            spread = np.linspace(-0.3, 0.3, len(found)) * step
            axes.plot(x + spread, found, sign, color=colour, markersize=3, alpha=0.4, markeredgewidth=0)
            low, median, high = np.percentile(found, [10, 50, 90])
            axes.plot([x, x], [low, high], color=colour, linewidth=2.2, solid_capstyle="round")
            axes.plot(x, median, sign, color=colour, markersize=9, markeredgecolor="white", zorder=3)
            medians.append(median)
        if len(medians) > 1:
            gaps.append(medians[0] - medians[1])
    axes.set_xticks(range(len(rows)), labels=[stem for _, stem in rows])
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(unit)
    axes.set_title(f"{name}\n{_said(gaps, unit)}")


def _said(gaps: Sequence[float], unit: str) -> str:
    """Say how far the generated medians are from those of the first real set."""
    if not gaps:
        return ""
    share = unit.startswith("share")
    ends = [f"{round(100 * gap) + 0:+d}" if share else f"{round(gap, 1) + 0.0:+.1f}" for gap in (min(gaps), max(gaps))]
    told = ends[0] if len(gaps) == 1 else " to ".join(ends)
    return told.replace("-", "−") + (" points" if share else " dB" if "dB" in unit else "")


def _together(axes: Any, values: Values) -> None:
    """Draw in which share of the seconds so many stems sound: mean over songs."""
    step = 0.8 / len(values)
    four = []
    for number, ((colour, _, _), songs) in enumerate(zip(SETS, values.values(), strict=False)):
        shares = [collect(songs, "together", "mixture", count).mean() for count in range(len(STEMS) + 1)]
        x = np.arange(len(shares)) + (number - (len(values) - 1) / 2) * step
        axes.bar(x, shares, width=step * 0.92, color=colour)
        four.append(shares[-1])
    axes.set_xticks(range(len(STEMS) + 1))
    axes.set_xlabel("stems that sound at once")
    axes.set_ylabel("share of the seconds")
    axes.grid(visible=False, axis="x")
    told = ", ".join(f"{100 * share:.0f} %" for share in four)
    axes.set_title(f"Stems at once\nall four: {told}")
