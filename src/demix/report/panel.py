"""The empty panel that plots are drawn on, and the signs of systems on it."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demix.report.colours import MARKERS
from demix.report.svg import INKS

SIZE_INCHES = (4.2, 2.8)


def panel(size_inches: tuple[float, float] = SIZE_INCHES) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes; draw within `rc_context(STYLE)`."""
    figure = Figure(figsize=size_inches, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(length=0)
    return figure, axes


def sign(axes: Axes, x: Any, y: Any, colour: str, *, hollow: bool = False, size: float = 8.0) -> None:
    """Put the sign of a system at points, `x` and `y` single numbers or sequences of them.

    Args:
        axes: where to draw.
        x: in the units of the axes.
        y: in the units of the axes.
        colour: name of the system's colour, which decides the sign too.
        hollow: whether to leave the inside empty.
        size: of the sign in points.
    """
    marker, ink = MARKERS[colour], INKS[colour]
    line = marker == "|"
    edge = ink if line or hollow else INKS["card"]
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=marker,
        markersize=size * {"|": 1.6, "*": 1.25}.get(marker, 1.0),
        color=INKS["card"] if hollow else ink,
        markeredgecolor=edge,
        markeredgewidth=2.2 if line else 1.6 if hollow else 0.7,
        clip_on=False,
        zorder=3,
    )
