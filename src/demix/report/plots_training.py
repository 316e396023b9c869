"""Learning curves: the mean over the seeds as a line, their range as a band."""

from collections.abc import Sequence

from matplotlib import rc_context

from demix.report.colours import MARKERS
from demix.report.figure import Cell, Plot
from demix.report.findings import curve_title
from demix.report.history import Band, band
from demix.report.panel import panel
from demix.report.results import Results, System
from demix.report.svg import INKS, STYLE, render

CURVES = (("loss", "step"), ("loss", "seconds"), ("valid_sdr", "step"), ("valid_sdr", "seconds"))


def curve_plots(results: Results) -> list[Plot]:
    """Draw loss and validation SDR of every net against steps and against training time."""
    nets = [net for net in results.nets if net.name in results.histories]
    return [draw_curves(results, nets, quantity, against) for quantity, against in CURVES] if nets else []


def draw_curves(results: Results, nets: Sequence[System], quantity: str, against: str) -> Plot:
    """Draw `loss` or `valid_sdr` of every net against `step` or `seconds`."""
    name, title = f"{quantity}-{against}", curve_title(results, nets, quantity, against)
    bands = {net.name: band(results.histories[net.name], quantity, against) for net in nets}
    with rc_context(STYLE):
        figure, axes = panel()
        scale, unit = (60.0, "training time, minutes") if against == "seconds" else (1.0, "training steps")
        for net in nets:
            ink, drawn, histories = INKS[net.colour], bands[net.name], results.histories[net.name]
            if len(histories) > 1:
                axes.fill_between(drawn.x / scale, drawn.low, drawn.high, color=ink, alpha=0.2, linewidth=0)
            elif quantity == "loss":
                x, y = histories[0].curve(quantity, against)
                axes.plot(x / scale, y, color=ink, alpha=0.22, linewidth=0.8)
            marker = MARKERS[net.colour] if quantity == "valid_sdr" else ""
            axes.plot(drawn.x / scale, drawn.mean, color=ink, marker=marker, markersize=4.5, label=net.label)
        axes.set_xlabel(unit)
        axes.set_xlim(left=0)
        axes.set_ylabel("training loss" if quantity == "loss" else "validation sdr, dB")
        drawing = render(figure, name=name, text=f"{title}. {quantity} against {against}.")
    column = "loss" if quantity == "loss" else "valid_sdr_db"
    columns = ("system", "seeds", against, f"{column}_mean", f"{column}_low", f"{column}_high")
    rows = tuple(row for net in nets for row in _rows(net, len(results.histories[net.name]), bands[net.name]))
    return Plot(name, title, drawing, columns, rows)


def _rows(net: System, seeds: int, drawn: Band) -> list[tuple[Cell, ...]]:
    points = zip(drawn.x, drawn.mean, drawn.low, drawn.high, strict=True)
    return [(net.name, seeds, *map(float, point)) for point in points]
