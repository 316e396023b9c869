"""How far a net can be moved from, by its gradient, and how far the ViT's heads look."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import FuncFormatter

from demix.report.drawing import curve, legend, panels
from demix.report.figure import Cell, Plot
from demix.report.measured import Measured, read_measured
from demix.report.panel import sign
from demix.report.results import System
from demix.report.svg import INKS, render
from demix.report.words import join


def field_plots(probes: Path, nets: Sequence[System]) -> list[Plot]:
    """Draw the effective receptive fields and the attention distances; none of what was not measured.

    Raises:
        DemixError: when a file of the probes is malformed.
    """
    key = ("system", "group")
    field = read_measured(probes / "field.csv", text=key, number=("offset_seconds", "share"))
    radii = read_measured(probes / "field_radius.csv", text=key, number=("radius_seconds",))
    numbers = ("layer", "head", "mean_seconds", "p90_seconds", "mean_rows", "entropy_share")
    heads = read_measured(probes / "attention.csv", text=key, number=numbers)
    plots = []
    if field is not None and (known := [net for net in nets if net.name in field.unique("group")]):
        plots.append(_field(field, radii, known))
    if heads is not None and (known := [net for net in nets if net.name in heads.unique("group")]):
        plots.append(_distance(heads, known))
    return plots


def _field(field: Measured, radii: Measured | None, nets: Sequence[System]) -> Plot:
    data: list[tuple[Cell, ...]] = []
    said = []
    with panels() as (figure, (axes,)):
        for net in nets:
            rows = field.where(group=net.name)
            x = rows.levels("offset_seconds")
            # Seeds are averaged after each was summed to one.
            seeds = len(rows.unique("system"))
            y = [100 * float(rows.where(offset_seconds=offset).number["share"].sum()) / seeds for offset in x]
            axes.plot(x, y, color=INKS[net.colour], label=net.label)
            sign(axes, x[int(np.argmax(y))], max(y), net.colour, size=6)
            data += [(net.name, offset, share / 100) for offset, share in zip(x, y, strict=True)]
            if radii is not None and net.name in radii.unique("group"):
                radius = float(radii.where(group=net.name).number["radius_seconds"].mean())
                said.append(f"{net.label} ±{radius:.2g} s")
                for edge in (-radius, radius):
                    axes.axvline(edge, color=INKS[net.colour], linewidth=1, linestyle=(0, (4, 2)))
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        top = 100 * max(float(row[-1] or 0) for row in data)
        axes.set_ylim(top / 1e4, 1.5 * top)
        axes.set_xlabel("offset from the frame, seconds")
        axes.set_ylabel("share of squared gradient, %")
        legend(axes, loc="upper right")
        title = f"95 % of the gradient comes from {join(said)}" if said else "Where the gradient comes from"
        drawing = render(figure, name="receptive-field", text=f"Effective receptive field. {title}.")
    note = "Effective receptive field, mean over seeds; broken lines: 95 % lie between them. It has no interval."
    return Plot("receptive-field", title, drawing, ("group", "offset_seconds", "share"), tuple(data), note)


def _distance(heads: Measured, nets: Sequence[System]) -> Plot:
    data: list[tuple[Cell, ...]] = []
    said = []
    with panels() as (figure, (axes,)):
        for shift, net in zip(np.linspace(-0.1, 0.1, len(nets)) if len(nets) > 1 else [0.0], nets, strict=True):
            rows = heads.where(group=net.name)
            layer, mean, most = (rows.number[name] for name in ("layer", "mean_seconds", "p90_seconds"))
            # Heads of one layer stand side by side.
            place = layer + shift + 0.06 * (rows.number["head"] - rows.number["head"].mean())
            axes.vlines(place, mean, most, color=INKS[net.colour], alpha=0.35, linewidth=1)
            sign(axes, place, mean, net.colour, size=5.5)
            of_layers = [(x, float(rows.where(layer=x).number["mean_seconds"].mean())) for x in rows.levels("layer")]
            x, y = [x for x, _ in of_layers], [y for _, y in of_layers]
            curve(axes, x, y, net.colour, net.label, linewidth=1, marker="")
            (first, near), (last, far) = of_layers[0], of_layers[-1]
            said.append(
                f"{net.label} looks {near:.1f} s far in layer {first + 1:.0f}, {far:.1f} s in layer {last + 1:.0f}"
            )
            numbers = [rows.number[name].tolist() for name in ("layer", "head", "mean_seconds", "p90_seconds")]
            more = [rows.number[name].tolist() for name in ("mean_rows", "entropy_share")]
            data += list(zip(rows.text["system"].tolist(), rows.text["group"].tolist(), *numbers, *more, strict=True))
        layers = heads.levels("layer")
        axes.set_xticks(layers, labels=[f"{x + 1:.0f}" for x in layers])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("layer")
        axes.set_ylabel("attention distance, seconds")
        title = "; ".join(said)
        drawing = render(figure, name="attention-distance", text=f"Attention distance per head and layer. {title}.")
    columns = ("system", "group", "layer", "head", "mean_seconds", "p90_seconds", "mean_rows", "entropy_share")
    note = "A sign a head: its mean distance in time, with a line up to the distance that holds 90 % of its attention."
    return Plot("attention-distance", title, drawing, columns, tuple(data), note)
