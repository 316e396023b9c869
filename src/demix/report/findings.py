"""Titles of plots that state what the plot shows."""

from collections.abc import Sequence

import numpy as np

from demix.report.history import band
from demix.report.results import Results, System, excludes_zero
from demix.report.verdict import better
from demix.report.words import decibels, duration, join

# Curves that end closer than this are told as equal.
EQUAL_DB = 0.1
EQUAL_LOSS = 0.02


def score_title(results: Results, metric: str) -> str:
    """Say where the nets lie between the floor and the ceiling."""
    scores = {net.label: score for net in results.nets if (score := results.score(metric, net.name)) is not None}
    floor, ceiling = results.score(metric, "mixture"), results.score(metric, "oracle")
    if not scores or floor is None or ceiling is None:
        return f"{metric} per stem"
    low, high = min(scores.values()), max(scores.values())
    above = decibels(low - floor, digits=1)
    if len(scores) > 1:
        above = f"{above} to {decibels(high - floor, digits=1)}"
    return f"{metric}: {above} dB above the mixture, {decibels(ceiling - high, digits=1)} dB below the oracle mask"


def difference_title(results: Results, metric: str) -> str:
    """Say on which stems which net is ahead, and on which the numbers cannot tell."""
    sides: dict[str, list[str]] = {}
    for row in results.comparisons(metric):
        side = f"{better(results, row).label} ahead on" if excludes_zero(row) else "cannot tell for"
        sides.setdefault(side, []).append(row.stem)
    if len(sides) == 1:
        return f"{metric}: {next(iter(sides))} every stem and the mean"
    return f"{metric}: {'; '.join(f'{side} {join(stems)}' for side, stems in sides.items())}"


def curve_title(results: Results, nets: Sequence[System], quantity: str, against: str) -> str:
    """Say who is ahead at the last moment that the curves share."""
    what = "loss" if quantity == "loss" else "validation sdr"
    axis = "steps" if against == "step" else "training time"
    curves = [band(results.histories[net.name], quantity, against) for net in nets]
    if len(nets) != 2 or any(len(curve.x) == 0 for curve in curves):
        return f"{what.capitalize()} against {axis}"
    end = min(curve.x[-1] for curve in curves)
    first, second = (float(np.interp(end, curve.x, curve.mean)) for curve in curves)
    at = f"after {end:,.0f} steps" if against == "step" else f"after {duration(end)}"
    if quantity == "loss":
        if abs(first - second) <= EQUAL_LOSS * max(abs(first), abs(second)):
            return f"Equal loss {at} ({first:.3g} and {second:.3g})".replace("-", "−")
        low, high = (nets[0], nets[1]) if first < second else (nets[1], nets[0])
        values = f"{min(first, second):.3g} against {max(first, second):.3g}".replace("-", "−")
        return f"{low.label}: lower loss than the {high.label} {at} ({values})"
    if abs(first - second) < EQUAL_DB:
        return f"Equal validation sdr {at} ({decibels(first, digits=1)} dB)"
    ahead = nets[0] if first > second else nets[1]
    return f"{ahead.label} {decibels(abs(first - second), digits=1)} dB ahead in validation {at}"
