"""Controls: what changes when one thing about a net changes, everything else and the budget being equal."""

from collections.abc import Sequence
from html import escape

from demix.evaluation.statistics import Difference
from demix.report.colours import colour_of
from demix.report.control_files import Control, compare_controls
from demix.report.drawing import difference_rows, edge_of, panels
from demix.report.figure import Cell, Plot
from demix.report.lengths import chunk_plot, segment_plot
from demix.report.part import Part, told
from demix.report.results import Results
from demix.report.svg import render
from demix.report.tables import Row, Table, to_html
from demix.report.words import decibels, duration, interval, join, sentence

COLUMNS = ("group", "label", "of", "stem", "difference_db", "low_db", "high_db", "unit", "units", "songs", "seeds")


def controls_part(results: Results) -> Part | None:
    """Return the section of the controls; None where nothing of it was measured.

    Raises:
        DemixError: when a file of the controls is malformed.
    """
    controls = compare_controls(results)
    colours = {net.name: net.colour for net in results.nets}
    for index, control in enumerate(control for control in controls if not control.differences):
        colours.setdefault(control.of, colour_of(control.of, net=index))
    edge = edge_of(control.estimate for control in controls if control.differences)
    plots = [aspect_plot(aspect, rows, colours, edge) for aspect, rows in by_aspect(controls).items()]
    plots += [plot for plot in (segment_plot(controls, colours), chunk_plot(results)) if plot is not None]
    if not plots:
        return None
    intro = (
        "<p>Each control changes one thing about a net and keeps the rest: data, batches, schedule. The dot is its "
        "mean sdr minus that of the plain net <em>trained under the same budget</em>, paired over the same music, "
        f"with a 95 % interval. Filled: the interval excludes zero{escape(_floor(controls))}. Hollow: the numbers "
        f"cannot tell.{escape(_budget(controls))}</p>"
    )
    outro = to_html(control_table(controls, colours)) if controls else ""
    return Part("controls", "Controls", intro, tuple(plots), outro)


def _floor(controls: Sequence[Control]) -> str:
    floor = max((control.estimate.floor for control in controls if control.differences), default=0.0)
    return (
        f", and the difference is at least {floor:g} dB, which another training seed may move a net by" if floor else ""
    )


def by_aspect(controls: Sequence[Control]) -> dict[str, list[Control]]:
    """Return the variants by what they vary, plain nets left out."""
    aspects: dict[str, list[Control]] = {}
    for control in controls:
        if control.differences:
            aspects.setdefault(control.aspect, []).append(control)
    return aspects


def aspect_plot(aspect: str, controls: Sequence[Control], colours: dict[str, str], edge: float) -> Plot:
    """Draw the differences of the variants of one aspect from their plain nets; `edge` is the same for all aspects."""
    rows = [(control.label, control.estimate, colours[control.of]) for control in controls]
    with panels(height_inches=0.75 + 0.42 * len(rows)) as (figure, (axes,)):
        difference_rows(axes, rows)
        axes.set_xlim(-edge, edge)
        axes.set_xlabel("sdr less the plain net’s, dB")
        name = f"controls-{aspect.replace(' ', '-')}"
        text = "; ".join(f"{label} {told(estimate)}" for label, estimate, _ in rows)
        drawing = render(figure, name=name, text=f"{aspect}: {text}.")
    data = tuple(
        (control.net.name, control.label, control.of, stem, *_cells(row), control.net.seeds)
        for control in controls
        for stem, row in control.differences.items()
    )
    return Plot(name, aspect_title(aspect, controls), drawing, COLUMNS, data)


def aspect_title(aspect: str, controls: Sequence[Control]) -> str:
    """Say which variants move the score by how much, and of which the numbers cannot tell."""
    moved = [control for control in controls if control.estimate.decided]
    rest = [control.label for control in controls if not control.estimate.decided]
    said = [
        f"{control.label} {'gains' if control.estimate.value > 0 else 'costs'} "
        f"{decibels(abs(control.estimate.value))} dB"
        for control in moved
    ]
    if not moved:
        changes = "any of these" if len(controls) > 1 else controls[0].label
        return f"{sentence(aspect)}: cannot tell whether {changes} changes the score"
    return f"{sentence(aspect)}: {join(said)}" + (f"; cannot tell for {join(rest)}" if rest else "")


def control_table(controls: Sequence[Control], colours: dict[str, str]) -> Table:
    """Return what each control is, costs and scores."""
    rows = []
    for control in controls:
        plain = not control.differences
        cells = [control.label, "plain net" if plain else control.aspect, str(control.net.seeds)]
        for key, form in (("parameters", "{:,.0f}"), ("gflops_per_second", "{:.2f}")):
            value = control.net.number(key)
            cells.append("–" if value is None else form.format(value))
        cells.append(decibels(control.sdr))
        if plain:
            cells += ["–", "–", "–"]
        else:
            found = control.estimate
            verdict = "cannot tell" if not found.decided else "better" if found.value > 0 else "worse"
            cells += [decibels(found.value, signed=True), interval(found.low, found.high), verdict]
        rows.append(Row(tuple(cells), colour=colours[control.of], strong=plain))
    columns = ("net", "varies", "seeds", "parameters", "GFLOPs", "sdr, dB", "difference", "95 % interval", "than plain")
    note = "Differences of the mean sdr from the plain net in dB. GFLOPs: forward pass of one second of stereo music."
    return Table("The controls", columns, tuple(rows), note)


def _cells(row: Difference) -> tuple[Cell, ...]:
    return row.difference_db, row.low_db, row.high_db, row.unit, row.units, row.songs


def _budget(controls: Sequence[Control]) -> str:
    steps = {control.net.number("steps") for control in controls}
    seconds = [value for control in controls if (value := control.net.number("training_seconds"))]
    if len(steps) != 1 or None in steps or not seconds:
        return ""
    return f" The budget: {steps.pop():,.0f} steps, {duration(max(seconds))} at most."
