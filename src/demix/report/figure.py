"""One figure of the page: a plot, the rows it was drawn from, and the command that draws it again."""

import csv
import io
import shlex
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from demix.files import atomic
from demix.report.svg_file import stand_alone
from demix.report.words import glue

FOLDER = "figures"

Cell = str | float | int | None


@dataclass(frozen=True)
class Plot:
    """A drawn figure with its data.

    Args:
        name: of its files, `figures/<name>.csv` and `.svg`; unique in the page.
        title: the finding that it shows, as a sentence.
        svg: the drawing, inline SVG in the page's colours.
        columns: names of the data's columns, units in them (`radius_seconds`, `loss_db`).
        rows: the data, one tuple a row; None is an empty cell.
        note: how to read it, one sentence; may stay empty.
    """

    name: str
    title: str
    svg: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def to_csv(plot: Plot) -> str:
    """Return a figure's data as CSV; floats with six digits."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(plot.columns)
    writer.writerows([_cell(cell) for cell in row] for row in plot.rows)
    return text.getvalue()


def to_figure(plot: Plot, results_name: str) -> str:
    """Write the figure for the page: title, data inside the page for who has nothing but the page, command, drawing."""
    data = b64encode(to_csv(plot).encode()).decode()
    file = escape(f"{plot.name}.csv")
    command = f"demix report {escape(shlex.quote(f'results/{results_name}'))} <span>--figure {escape(plot.name)}</span>"
    note = f"<p>{escape(glue(plot.note))}</p>" if plot.note else ""
    return (
        f'<figure id="figure-{escape(plot.name)}"><figcaption><h3>{escape(glue(plot.title))}</h3>{note}'
        f'<p class="data">Data: <a download="{file}" href="data:text/csv;base64,{data}">{file}</a>. '
        f"Drawn again by <code>{command}</code></p></figcaption>{plot.svg}</figure>"
    )


def to_gallery(plots: Iterable[Plot], results_name: str) -> str:
    """Write figures side by side; nothing for none."""
    figures = "\n".join(to_figure(plot, results_name) for plot in plots)
    return f'<div class="plots">{figures}</div>' if figures else ""


def write_plot(plot: Plot, folder: Path) -> tuple[Path, Path]:
    """Write `figures/<name>.svg` and `figures/<name>.csv` into a results folder and return both paths.

    Raises:
        DemixError: when a file cannot be written.
    """
    paths = folder / FOLDER / f"{plot.name}.svg", folder / FOLDER / f"{plot.name}.csv"
    for path, text in zip(paths, (stand_alone(plot.svg), to_csv(plot)), strict=True):
        with atomic(path) as file:
            file.write(text.encode())
    return paths


def _cell(value: Cell) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
