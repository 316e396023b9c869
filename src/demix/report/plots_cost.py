"""What a score costs: mean SDR against size, computing, memory, training time and speed.

Up and to the cheap side is better. The nets of the controls, trained shorter, stand as hollow signs of the net that
they vary.
"""

from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes

from demix.report.drawing import log_axis
from demix.report.figure import Cell, Plot
from demix.report.panel import panel, sign
from demix.report.results import Results, System
from demix.report.svg import INKS, STYLE, render
from demix.report.words import decibels

# Values that lie this many times apart are drawn on a logarithmic axis.
WIDE = 10.0
# Costs that differ by less than this share are told as equal.
EQUAL = 0.05


class Cost(NamedTuple):
    """A cost: its key in results.json, name, text and unit of the axis, and whether less of it is better."""

    key: str
    noun: str
    axis: str
    scale: float = 1.0
    less: bool = True


COSTS = (
    Cost("parameters", "parameters", "parameters, millions", 1e6),
    Cost("gflops_per_second", "computing", "GFLOPs per second of music"),
    Cost("step_mib", "memory", "memory of a training step, MiB"),
    Cost("training_seconds", "training time", "training time, minutes", 60.0),
    Cost("realtime_factor", "speed", "music separated, seconds per second", 1.0, less=False),
)


class _Point(NamedTuple):
    """A net in the plane of cost and score; `low` and `high` are the scores of its worst and best seed."""

    net: System
    control: bool
    colour: str
    cost: float
    score: float
    low: float
    high: float


def cost_plots(results: Results, controls: Results | None = None) -> list[Plot]:
    """Draw mean `sdr` against every cost that is known.

    Args:
        results: the comparison.
        controls: the results of its variants.
    """
    plots = []
    for cost in COSTS:
        points = _points(results, cost, {net.name: net.colour for net in results.nets}, control=False)
        if points:
            colours = {net.name: _colour_of_variant(net, results) for net in controls.nets} if controls else {}
            plots.append(_draw(cost, points, _points(controls, cost, colours, control=True) if controls else []))
    return plots


def _colour_of_variant(net: System, results: Results) -> str:
    plain = {each.name: each.colour for each in results.nets}
    return plain.get(str(net.facts.get("of")), "baseline")


def _points(results: Results, cost: Cost, colours: dict[str, str], *, control: bool) -> list[_Point]:
    points = []
    for net in results.nets:
        value, score = net.number(cost.key), results.score("sdr", net.name)
        if value and score is not None:
            of_seeds = [found for run in net.runs if (found := results.run_scores["sdr"].get(run, {}).get("mean"))]
            seeds = [*of_seeds, score]
            points.append(_Point(net, control, colours[net.name], value, score, min(seeds), max(seeds)))
    return points


def _draw(cost: Cost, nets: list[_Point], controls: list[_Point]) -> Plot:
    name, title = f"cost-{cost.key.replace('_', '-')}", _title(cost, nets)
    with rc_context(STYLE):
        figure, axes = panel()
        for point in (*controls, *nets):
            x = point.cost / cost.scale
            if point.net.seeds > 1:
                axes.plot([x, x], [point.low, point.high], color=INKS[point.colour], linewidth=1.4, zorder=2)
            sign(axes, x, point.score, point.colour, hollow=point.control, size=6 if point.control else 9)
        _scale(axes, [point.cost / cost.scale for point in (*nets, *controls)])
        _name(axes, cost, nets)
        axes.set_xlabel(f"{cost.axis} ({'less' if cost.less else 'more'} is better)")
        axes.set_ylabel("mean sdr, dB")
        words = "; ".join(
            f"{point.net.label} {point.cost / cost.scale:.4g}, {decibels(point.score)} dB"
            for point in (*nets, *controls)
        )
        drawing = render(figure, name=name, text=f"Mean sdr against {cost.axis}. {words}.")
    columns = ("system", "label", "control", "seeds", cost.key, "sdr_db", "sdr_lowest_seed_db", "sdr_highest_seed_db")
    rows = tuple(_row(point) for point in (*nets, *controls))
    return Plot(name, title, drawing, columns, rows, _note(nets, controls))


def _row(point: _Point) -> tuple[Cell, ...]:
    net = point.net
    return net.name, net.label, int(point.control), net.seeds, point.cost, point.score, point.low, point.high


def _title(cost: Cost, nets: list[_Point]) -> str:
    if len(nets) < 2:
        return f"{nets[0].net.label}: {decibels(nets[0].score)} dB at {nets[0].cost / cost.scale:.3g} ({cost.axis})"
    first, second = nets[:2]
    ratio = second.cost / first.cost
    gain = second.score - first.score
    gained = f"{decibels(abs(gain))} dB {'more' if gain > 0 else 'less'}"
    if abs(ratio - 1) <= EQUAL:
        return f"At equal {cost.noun} the {second.net.label} scores {gained} than the {first.net.label}"
    return f"At {ratio:.2g} times the {cost.noun} the {second.net.label} scores {gained} than the {first.net.label}"


def _note(nets: list[_Point], controls: list[_Point]) -> str:
    notes = ["Bars: lowest to highest seed."] if any(point.net.seeds > 1 for point in (*nets, *controls)) else []
    notes += ["Hollow: variants of the controls, trained shorter."] if controls else []
    return " ".join(notes)


def _scale(axes: Axes, costs: list[float]) -> None:
    """Begin the axis at zero, so that nearly equal costs look nearly equal; logarithmic where they lie far apart."""
    low, high = min(costs), max(costs)
    if high > WIDE * low:
        ticks = [digit * 10.0**power for power in range(-3, 9) for digit in (1, 2, 5)]
        # Half as far again on both sides, for names and for a tick beyond each end.
        log_axis(axes, axes.get_xlabel(), (low / 1.5, high * 1.5), ticks)
        axes.set_xlim(low / 1.5, high * 1.5)
        return
    axes.set_xlim(0, 1.25 * max(costs))


def _name(axes: Axes, cost: Cost, nets: list[_Point]) -> None:
    """Write each net's name beside its sign, the higher one's a little above it, and leave room on all sides."""
    low, high = axes.get_ylim()
    room = max(0.15, 0.12 * (high - low))
    axes.set_ylim(low - room, high + room)
    upper = max(nets, key=lambda point: point.score)
    for point in nets:
        axes.annotate(
            point.net.label,
            (point.cost / cost.scale, point.score),
            xytext=(8, 3 if point is upper else -3),
            textcoords="offset points",
            va="bottom" if point is upper else "top",
            color=INKS[point.colour],
        )
