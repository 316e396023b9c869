"""Song by song: one line a song from one net's score to the other's."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from demix.report.figure import Cell, Plot
from demix.report.panel import panel, sign
from demix.report.results import Results, System
from demix.report.svg import INKS, STYLE, render
from demix.report.words import count, decibels

MOST_NAMED = 6  # more lines than these would write their names over each other
LINE_SHARE = 0.06  # height of a line of text as a share of the axis


def song_plots(results: Results) -> list[Plot]:
    """Draw the songs one by one; nothing with fewer than two nets."""
    return [draw_songs(results, "sdr")] if results.difference("sdr") and results.songs else []


def draw_songs(results: Results, metric: str) -> Plot:
    """Draw each song's score by the first and by the second net, the mean over the songs bold."""
    first, second = results.nets[:2]
    scores = _scores(results, metric)
    means = [float(results.score(metric, net.name) or np.nan) for net in (first, second)]
    name, title = f"songs-{metric}", _title(results, metric, scores)
    with rc_context(STYLE):
        figure, axes = panel((4.2, 3.4))
        for pair in scores.values():
            ahead = second if pair[1] > pair[0] else first
            axes.plot([0, 1], pair, color=INKS[ahead.colour], linewidth=1.1, alpha=0.75, linestyle=_dash(ahead, first))
        axes.plot([0, 1], means, color=INKS["ink"], linewidth=3)
        for x, net in enumerate((first, second)):
            sign(axes, [x] * len(scores), [pair[x] for pair in scores.values()], net.colour, size=5)
            sign(axes, x, means[x], net.colour, size=10)
        axes.text(-0.07, means[0], decibels(means[0]), ha="right", va="center", color=INKS["ink"], weight="bold")
        _name_ends(axes, {song: pair[1] for song, pair in scores.items()}, means[1])
        axes.set_xlim(-0.45, 1.45)
        axes.set_xticks([0, 1], labels=[first.label, second.label])
        for label, net in zip(axes.get_xticklabels(), (first, second), strict=True):
            label.set_color(INKS[net.colour])
            label.set_fontsize(11)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel(f"{metric}, mean over the stems, dB")
        lines = "; ".join(f"{song} {decibels(low)} to {decibels(high)} dB" for song, (low, high) in scores.items())
        text = f"From {first.label} to {second.label}: mean {decibels(means[0])} to {decibels(means[1])} dB; {lines}."
        drawing = render(figure, name=name, text=text)
    columns = ("song", f"{first.name}_{metric}_db", f"{second.name}_{metric}_db", "difference_db")
    rows: list[tuple[Cell, ...]] = [(song, *pair, pair[1] - pair[0]) for song, pair in scores.items()]
    rows.append(("mean", *means, means[1] - means[0]))
    return Plot(name, title, drawing, columns, tuple(rows), _note(results, first, second))


def _scores(results: Results, metric: str) -> dict[str, tuple[float, float]]:
    """Return the scores of the songs that both nets were scored on."""
    first, second = (results.songs[metric].get(net.name, {}) for net in results.nets[:2])
    return {song: (first[song]["mean"], second[song]["mean"]) for song in first if song in second}


def _title(results: Results, metric: str, scores: dict[str, tuple[float, float]]) -> str:
    first, second = results.nets[:2]
    difference = results.difference(metric)
    mean = decibels(difference.difference_db if difference else None, signed=True)
    gains = [pair[1] - pair[0] for pair in scores.values()]
    if len(gains) == 1:
        ahead = second if gains[0] > 0 else first
        return f"On the only song the {ahead.label} is {decibels(abs(gains[0]))} dB ahead"
    wins = sum(gain > 0 for gain in gains)
    leader, won = (second, wins) if 2 * wins >= len(gains) else (first, len(gains) - wins)
    return f"{leader.label} ahead on {won} of {len(gains)} songs; {second.label} − {first.label}: {mean} dB on average"


def _note(results: Results, first: System, second: System) -> str:
    of = f", its score the mean of {count(results.seeds, 'seed')}" if results.seeds > 1 else ""
    note = f"Each thin line is a song{of}; solid where the {second.label} is ahead, dashed where the {first.label} is."
    if len(results.songs["sdr"].get(first.name, {})) == 1:
        return f"The thin line is the song{of}, and the mean of one song is that song: this says nothing about others."
    return f"{note} Bold: the mean."


def _dash(ahead: System, first: System) -> str:
    return "--" if ahead is first else "-"


def _name_ends(axes: Axes, ends: dict[str, float], mean: float) -> None:
    """Write the mean, and the names of few songs, beside the ends of their lines, moved apart where they touch."""
    names = [(end, song, False) for song, end in ends.items()] if 1 < len(ends) <= MOST_NAMED else []
    names = sorted([*names, (mean, decibels(mean), True)])
    low, high = axes.get_ylim()
    places = np.array([end for end, _, _ in names])
    for _ in range(100):
        push = np.maximum(0.0, LINE_SHARE * (high - low) - np.diff(places)) / 2
        places += np.concatenate([[0.0], push]) - np.concatenate([push, [0.0]])
    for place, (_, name, bold) in zip(places, names, strict=True):
        ink, weight = INKS["ink" if bold else "muted"], "bold" if bold else "normal"
        axes.text(1.07, place, name, va="center", color=ink, weight=weight, fontsize=9.5 if bold else 8.5)
