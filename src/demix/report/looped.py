"""Counterfactual loops: the same drum hits, repeated exactly, with variations, or never."""

from collections.abc import Mapping, Sequence

import numpy as np

from demix.data.loop_patterns import CONDITIONS
from demix.data.loops import SONGS_FILE, LoopSong, read_loop_seconds, read_songs
from demix.errors import DemixError
from demix.evaluation.loops import RepetitionEffect, middle_sdr, repetition_effects
from demix.evaluation.scores import SecondRow, read_seconds
from demix.metrics import Floats
from demix.report.drawing import difference_rows, edge_of, panels
from demix.report.figure import Cell, Plot
from demix.report.panel import sign
from demix.report.part import told
from demix.report.results import Results, System
from demix.report.spread import Estimate
from demix.report.svg import INKS, render
from demix.report.words import count, decibels

STEM, CONTRAST = "drums", "exact - never"
Effects = Mapping[str, RepetitionEffect]


def loops_plots(results: Results) -> list[Plot]:
    """Draw the drums' scores per condition and the effects that the hypothesis is about; empty without loops.

    Raises:
        DemixError: when a file of the loops is malformed, or a score is missing.
    """
    folder, nets = results.folder / "loops", results.nets[:2]
    if not folder.is_dir() or len(nets) < 2:
        return []
    songs, seconds = read_songs(folder / SONGS_FILE), read_seconds(folder / "seconds.csv")
    length = read_loop_seconds(folder)
    effects = effects_of(songs, seconds, nets, loop_seconds=length)
    return [_conditions_plot(songs, seconds, nets, loop_seconds=length), _effects_plot(effects, nets)]


def effects_of(
    songs: Sequence[LoopSong], seconds: Sequence[SecondRow], nets: Sequence[System], *, loop_seconds: float
) -> Effects:
    """Return the effect of exact repetition on the drums of each net, and their `interaction`.

    Args:
        songs: the loop songs.
        seconds: rows of their seconds.csv.
        nets: the net without and the net with attention.
        loop_seconds: length of their loops.

    Raises:
        DemixError: when a net has no score on one of the songs.
    """
    first, second = nets
    scored = {row.system for row in seconds}
    groups = {net.name: [run for run in net.runs if run in scored] for net in nets}
    missing = [net.label for net in nets if not groups[net.name]]
    if missing:
        raise DemixError(f"loops: expected scores of the {missing[0]}, received none; score it on the loop songs")
    found = repetition_effects(
        seconds, songs, groups, attention=second.name, convolution=first.name, loop_seconds=loop_seconds
    )
    chosen = [effect for effect in found if (effect.stem, effect.contrast) == (STEM, CONTRAST)]
    return {effect.group if effect.group in groups else "interaction": effect for effect in chosen}


def verdict(effects: Effects, nets: Sequence[System]) -> str:
    """Say whether the loops agree with the hypothesis, contradict it, or cannot tell.

    It predicts that repetition helps the second net more than the first, and does not change the first.
    """
    first, second = nets
    answer, own = effects["interaction"].answer, effects[first.name].answer
    if answer == "contradict":
        return (
            f"The loops contradict the hypothesis: repetition helps the {second.label} no more than the {first.label}"
        )
    if answer == "cannot tell":
        return f"The loops cannot tell whether repetition helps the {second.label} more than the {first.label}"
    lead = f"repetition helps the {second.label} more than the {first.label}"
    if own == "contradict":
        return f"The loops agree with half of the hypothesis: {lead}, but changes the {first.label} too"
    doubt = "" if own == "agree" else f"; whether it changes the {first.label} they cannot tell"
    return f"The loops agree with the hypothesis: {lead}{doubt}"


def scores_by_base(
    songs: Sequence[LoopSong], seconds: Sequence[SecondRow], net: System, *, loop_seconds: float
) -> dict[str, Floats]:
    """Return base -> the drums' `sdr` in the middle loop under `CONDITIONS` in dB, mean over the net's seeds."""
    found = middle_sdr((row for row in seconds if row.system in net.runs), loop_seconds=loop_seconds)
    table: dict[str, Floats] = {}
    for song in songs:
        row_of_base = table.setdefault(song.base, np.full(len(CONDITIONS), np.nan))
        values = [found[run, song.track, STEM] for run in net.runs if (run, song.track, STEM) in found]
        row_of_base[CONDITIONS.index(song.condition)] = np.mean(values or [np.nan])
    return table


def _conditions_plot(
    songs: Sequence[LoopSong], seconds: Sequence[SecondRow], nets: Sequence[System], *, loop_seconds: float
) -> Plot:
    data: list[tuple[Cell, ...]] = []
    said, places = [], range(len(CONDITIONS))
    with panels(1, len(nets), height_inches=2.9, sharey=True) as (figure, grid):
        for axes, net in zip(grid, nets, strict=True):
            bases = scores_by_base(songs, seconds, net, loop_seconds=loop_seconds)
            table = np.stack(list(bases.values()))
            means = np.ma.masked_invalid(table).mean(axis=0).filled(np.nan)
            axes.plot(places, table.T, color=INKS[net.colour], alpha=0.35, linewidth=1)
            axes.plot(places, means, color=INKS[net.colour], linewidth=2.6)
            sign(axes, places, means, net.colour, size=7)
            axes.set_xticks(places, labels=CONDITIONS)
            axes.set_xlim(-0.25, len(CONDITIONS) - 0.75)
            axes.set_title(net.label, loc="left", fontsize=9.5, color=INKS[net.colour])
            for base, row in bases.items():
                data += [(net.name, base, name, float(value)) for name, value in zip(CONDITIONS, row, strict=True)]
            levels = zip(CONDITIONS, means, strict=True)
            said.append(f"{net.label} {', '.join(f'{name} {decibels(value, digits=1)}' for name, value in levels)} dB")
        grid[0].set_ylabel(f"{STEM}, sdr, dB")
        title = f"{STEM.capitalize()} by how they repeat: {'; '.join(said)}"
        drawing = render(figure, name="loops", text=f"sdr of the drums per condition. {title}.")
    note = (
        f"A thin line: one base, in the middle loop of {loop_seconds:g} s, which is the very same in its three songs: "
        "only what is around it differs. Bold: the mean. Mean over seeds."
    )
    return Plot("loops", title, drawing, ("group", "base", "condition", "sdr_db"), tuple(data), note)


def _effects_plot(effects: Effects, nets: Sequence[System]) -> Plot:
    first, second = nets
    names = {first.name: first.label, second.name: second.label, "interaction": f"{second.label} − {first.label}"}
    colours = {net.name: net.colour for net in nets}
    rows = []
    for key, name in names.items():
        effect = effects[key]
        estimate = Estimate(effect.effect_db, effect.low_db, effect.high_db, effect.units)
        rows.append((name, estimate, colours.get(key, nets[effect.effect_db > 0].colour)))
    with panels(height_inches=2.1) as (figure, (axes,)):
        difference_rows(axes, rows)
        edge = edge_of(estimate for _, estimate, _ in rows)
        axes.set_xlim(-edge, edge)
        axes.set_xlabel(f"{STEM}: exact less never, sdr, dB")
        title = verdict(effects, nets)
        text = "; ".join(f"{name} {told(estimate)}" for name, estimate, _ in rows)
        drawing = render(figure, name="loops-effect", text=f"{title}. {text}.")
    data = tuple(
        (
            key,
            effect.effect_db,
            effect.low_db,
            effect.high_db,
            effect.unit,
            effect.units,
            effect.seeds,
            effect.prediction,
            effect.answer,
        )
        for key, effect in effects.items()
    )
    one = effects["interaction"]
    about = f"{count(one.units, one.unit.removesuffix('s'))}{' of the same few songs' if one.unit == 'bases' else ''}"
    note = (
        f"Predicted: the {first.label} {effects[first.name].prediction}, the {second.label} and the interaction "
        f"({second.label} − {first.label}) above it. Interaction: {told(rows[-1][1])}, over {about}."
    )
    columns = ("group", "effect_db", "low_db", "high_db", "unit", "units", "seeds", "prediction", "answer")
    return Plot("loops-effect", title, drawing, columns, data, note)
