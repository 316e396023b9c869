"""Counterfactual loops: the same drum hits, repeated exactly, with variations, or never."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from demix.errors import DemixError
from demix.evaluation.scores import read_scores
from demix.report.drawing import difference_rows, edge_of, panels
from demix.report.figure import Cell, Plot
from demix.report.measured import Floats, read_measured
from demix.report.panel import sign
from demix.report.part import told
from demix.report.results import Results, System
from demix.report.spread import Estimate, over_units
from demix.report.svg import INKS, render
from demix.report.words import decibels

CONDITIONS = ("exact", "varied", "never")
STEM = "drums"


def loops_plots(results: Results) -> list[Plot]:
    """Draw the drums' scores per condition, and the interaction that the hypothesis is about; empty without loops.

    Raises:
        DemixError: when a file of the loops is malformed.
    """
    folder = results.folder / "loops"
    if not folder.is_dir() or not results.nets:
        return []
    scores = {net.name: read_loops(folder, net) for net in results.nets}
    plots = [_conditions_plot(scores, results.nets)]
    return [*plots, _interaction_plot(scores, results.nets[:2])] if len(results.nets) > 1 else plots


def read_loops(folder: Path, net: System) -> dict[str, Floats]:
    """Return base -> the drums' `sdr` under `CONDITIONS` in dB, `(3,)`, mean over the net's seeds.

    Raises:
        DemixError: when songs.csv or scores.csv is malformed, or a base lacks a condition or a score.
    """
    songs = read_measured(folder / "songs.csv", text=("track", "base", "condition"), number=())
    if songs is None:
        raise DemixError(f"{folder}: expected songs.csv with a row a loop, received none; evaluate the loops again")
    values: dict[str, list[float]] = {}
    for row in read_scores(folder / "scores.csv"):
        if row.system in net.runs and (row.stem, row.metric) == (STEM, "sdr"):
            values.setdefault(row.track, []).append(row.value)
    table: dict[str, Floats] = {}
    for track, base, condition in zip(*(songs.text[key].tolist() for key in ("track", "base", "condition")), strict=True):
        if condition not in CONDITIONS or track not in values:
            raise DemixError(
                f"{folder}: expected a score of {net.label} on {track}, one of {', '.join(CONDITIONS)}, received "
                f"{condition} with {len(values.get(track, []))} scores; evaluate the loops again"
            )
        table.setdefault(base, np.full(len(CONDITIONS), np.nan))[CONDITIONS.index(condition)] = np.mean(values[track])
    short = [base for base, row in table.items() if np.isnan(row).any()]
    if short:
        raise DemixError(f"{folder}: expected {', '.join(CONDITIONS)} of {short[0]}, received fewer; make the loops again")
    return table


def interaction(scores: Mapping[str, Mapping[str, Floats]], nets: Sequence[System]) -> Estimate:
    """Return (second − first net) × (exact − never) in dB: how much more the second gains from repetition."""
    return over_units(np.array(_gains(scores, nets[1])) - np.array(_gains(scores, nets[0])))


def _gains(scores: Mapping[str, Mapping[str, Floats]], net: System) -> list[float]:
    """Return each base's score under exact repetition minus that under none."""
    return [float(row[0] - row[2]) for row in scores[net.name].values()]


def verdict(scores: Mapping[str, Mapping[str, Floats]], nets: Sequence[System]) -> str:
    """Say whether the loops agree with the hypothesis, contradict it, or cannot tell.

    It predicts that the second net's lead is larger under exact repetition than under none, and that the first net's
    score does not change.
    """
    found = interaction(scores, nets)
    own = over_units(np.array(_gains(scores, nets[0])))
    if not found.decided:
        return f"Loops: cannot tell whether repetition helps the {nets[1].label} more than the {nets[0].label}"
    if found.value < 0:
        return f"The loops contradict the hypothesis: repetition helps the {nets[1].label} less than the {nets[0].label}"
    text = f"The loops agree with the hypothesis: repetition helps the {nets[1].label} more than the {nets[0].label}"
    return f"{text}, although the {nets[0].label} changes too" if own.decided else text


def _conditions_plot(scores: Mapping[str, Mapping[str, Floats]], nets: Sequence[System]) -> Plot:
    data: list[tuple[Cell, ...]] = []
    said = []
    with panels(1, len(nets), height_inches=2.9, sharey=True) as (figure, grid):
        for axes, net in zip(grid, nets, strict=True):
            table = np.stack(list(scores[net.name].values()))
            axes.plot(range(3), table.T, color=INKS[net.colour], alpha=0.35, linewidth=1)
            axes.plot(range(3), table.mean(axis=0), color=INKS[net.colour], linewidth=2.6)
            sign(axes, range(3), table.mean(axis=0), net.colour, size=7)
            axes.set_xticks(range(3), labels=CONDITIONS)
            axes.set_xlim(-0.25, 2.25)
            axes.set_title(net.label, loc="left", fontsize=9.5, color=INKS[net.colour])
            for base, row in scores[net.name].items():
                data += [(net.name, base, name, float(value)) for name, value in zip(CONDITIONS, row, strict=True)]
            gain = over_units(np.array(_gains(scores, net)))
            said.append(f"{net.label} {told(gain)}{'' if gain.decided else ', cannot tell'}")
        grid[0].set_ylabel(f"{STEM}, sdr, dB")
        title = f"Exact repetition against none: {'; '.join(said)}"
        drawing = render(figure, name="loops", text=f"sdr of the drums per condition. {title}.")
    note = "A thin line: the same song with its drum hits in another order. Bold: the mean. Mean over seeds."
    return Plot("loops", title, drawing, ("group", "base", "condition", "sdr_db"), tuple(data), note)


def _interaction_plot(scores: Mapping[str, Mapping[str, Floats]], nets: Sequence[System]) -> Plot:
    first, second = nets
    found = interaction(scores, nets)
    rows = [
        (f"{first.label}: exact − never", over_units(np.array(_gains(scores, first))), first.colour),
        (f"{second.label}: exact − never", over_units(np.array(_gains(scores, second))), second.colour),
        ("interaction", found, nets[found.value > 0].colour),
    ]
    with panels(height_inches=2.0) as (figure, (axes,)):
        difference_rows(axes, rows)
        edge = edge_of(estimate for _, estimate, _ in rows)
        axes.set_xlim(-edge, edge)
        axes.set_xlabel(f"{STEM}, difference of sdr, dB")
        title = f"{verdict(scores, nets)} ({decibels(found.value, signed=True)} dB)"
        text = "; ".join(f"{name} {told(estimate)}" for name, estimate, _ in rows)
        drawing = render(figure, name="loops-interaction", text=f"{title}. {text}.")
    data = tuple((name, *estimate) for name, estimate, _ in rows)
    note = (
        f"The hypothesis predicts: the {first.label} at zero, the {second.label} and the interaction, "
        f"({second.label} − {first.label}) × (exact − never), to the right of it. 95 % intervals over "
        f"{found.units} base songs."
    )
    columns = ("contrast", "difference_db", "low_db", "high_db", "bases")
    return Plot("loops-interaction", title, drawing, columns, data, note)
