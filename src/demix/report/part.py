"""One part of the evidence: a section of the page with its plots."""

from collections.abc import Sequence
from dataclasses import dataclass

from demix.report.figure import Plot, to_gallery
from demix.report.results import System
from demix.report.spread import Estimate
from demix.report.words import decibels, interval, join


@dataclass(frozen=True)
class Part:
    """A section of the page.

    Args:
        key: its address in the page.
        title: its heading.
        intro: HTML before the plots: what was done, and how to read it.
        plots: its figures.
        outro: HTML after the plots: tables.
    """

    key: str
    title: str
    intro: str
    plots: tuple[Plot, ...]
    outro: str = ""


def to_body(part: Part, results_name: str) -> str:
    """Return the HTML of a part under its heading."""
    return f"{part.intro}{to_gallery(part.plots, results_name)}{part.outro}"


def told(estimate: Estimate) -> str:
    """Write `+0.31 dB (95 % interval +0.10 to +0.52)`, or that there is no interval."""
    value = f"{decibels(estimate.value, signed=True)} dB"
    if estimate.low != estimate.low:
        return f"{value} (one song: no interval)" if estimate.units == 1 else f"{value} (no interval)"
    return f"{value} (95 % interval {interval(estimate.low, estimate.high)})"


def sides_told(estimates: Sequence[Estimate], places: Sequence[str], sides: Sequence[System]) -> str:
    """Say at which places which net is ahead, and where the numbers cannot tell.

    Args:
        estimates: differences `sides[1]` minus `sides[0]`, one a place.
        places: their names, `63 to 125 Hz`.
        sides: the two nets.
    """
    found: dict[str, list[str]] = {}
    for estimate, place in zip(estimates, places, strict=True):
        side = f"{sides[estimate.value > 0].label} ahead" if estimate.decided else "cannot tell"
        found.setdefault(side, []).append(place)
    if list(found) == ["cannot tell"]:
        return "cannot tell anywhere"
    if len(found) == 1:
        return f"{next(iter(found))} everywhere"
    open_places = found.pop("cannot tell", [])
    said = [f"{side} at {join(where)}" for side, where in found.items()]
    return "; ".join([*said, "cannot tell elsewhere"] if open_places else said)
