"""Tables as data, written as HTML or as Markdown: both show the same cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from demix.report.colours import mark


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        cells: the texts, the row's heading first.
        colour: name of the CSS colour of the system that the row is about, or None.
        strong: whether the row is one of those that the comparison is about.
    """

    cells: tuple[str, ...]
    colour: str | None = None
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A captioned table; `note` says how to read it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


def to_html(table: Table) -> str:
    """Write a table that scrolls inside its own container on a narrow screen."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    note = f"<span>{escape(table.note)}</span>" if table.note else ""
    body = "\n".join(_html_row(row) for row in table.rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}"><table>\n'
        f"<caption><b>{escape(table.caption)}</b>{note}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def to_markdown(table: Table) -> str:
    """Write the table as a Markdown pipe table under its caption."""
    lines = [f"**{table.caption}**", ""]
    lines += [_markdown_row(table.columns), "|" + "---|" + "---:|" * (len(table.columns) - 1)]
    lines += [_markdown_row([f"**{cell}**" if row.strong else cell for cell in row.cells]) for row in table.rows]
    return "\n".join([*lines, "", *([table.note, ""] if table.note else [])])


def _html_row(row: Row) -> str:
    kind = ' class="net"' if row.strong else ""
    head = f'<th scope="row">{mark(row.colour)}{escape(row.cells[0])}</th>'
    return f"<tr{kind}>{head}{''.join(f'<td>{escape(cell)}</td>' for cell in row.cells[1:])}</tr>"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
