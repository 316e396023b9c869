"""From a results folder to its report: index.html, table.md, figures, and the rows that the command line prints."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from demix.errors import DemixError
from demix.files import atomic
from demix.report.figure import FOLDER, write_plot
from demix.report.key_figures import key_figures
from demix.report.limits import said, unsaid
from demix.report.read import read_results
from demix.report.results import METRICS, Results
from demix.report.rows import cost_table, difference_table, score_table, silence_table
from demix.report.rows_spread import spread_tables
from demix.report.tables import Table, to_markdown
from demix.report.verdict import headline, lede
from demix.report.words import glue

if TYPE_CHECKING:
    from demix.report.sections import Section

DATA_FILES = ("results.json", "scores.csv", "seconds.csv", "table.md", f"{FOLDER}/")


@dataclass(frozen=True)
class Summary:
    """What the command line prints of a comparison.

    Args:
        headline: the finding in one sentence.
        lede: the numbers behind it, and how far they reach.
        tables: one table per SDR and the cost of the nets; cells are finished text. The rest is in the report.
    """

    headline: str
    lede: str
    tables: tuple[Table, ...]


def build(folder: Path) -> Path:
    """Write `index.html`, `table.md` and the figures with their data into a results folder.

    The page is one file that works without a network: pictures and sound are inside. `figures/` holds every plot as a
    drawing that opens on its own and as the rows it was drawn from; what an earlier report left there goes.

    Args:
        folder: a results folder as evaluation writes it.

    Returns:
        The path of the page.

    Raises:
        DemixError: when the folder is not a results folder, or cannot be written to.
    """
    from demix.report.sections import sections  # draws: matplotlib takes a second to import

    results = read_results(folder)
    parts = sections(results)
    page = folder / "index.html"
    written = {path for part in parts.values() for plot in part.plots for path in write_plot(plot, folder)}
    for path in (folder / FOLDER).glob("*.*"):
        if path.suffix in (".csv", ".svg") and path not in written:
            path.unlink()
    for path, text in ((folder / "table.md", _markdown(results)), (page, _page(results, parts))):
        with atomic(path) as file:
            file.write(text.encode())
    return page


def redraw(folder: Path, name: str) -> tuple[Path, Path]:
    """Write one figure of a results folder again, `figures/<name>.svg` and `.csv`, and return both paths.

    Raises:
        DemixError: when the folder is not a results folder, has no figure of that name, or cannot be written to.
    """
    from demix.report.sections import drawn

    plots = {plot.name: plot for part in drawn(read_results(folder)).values() for plot in part.plots}
    if name not in plots:
        raise DemixError(f"--figure: expected one of {', '.join(plots)}, received {name!r}")
    return write_plot(plots[name], folder)


def summary(folder: Path) -> Summary:
    """Return the finding and the tables of a results folder.

    Raises:
        DemixError: when the folder is not a results folder.
    """
    results = read_results(folder)
    tables = [score_table(results, metric) for metric in METRICS]
    return Summary(headline(results), lede(results), (*tables, *([cost_table(results)] if results.nets else [])))


def _tables(results: Results) -> tuple[Table, ...]:
    tables = [score_table(results, metric) for metric in METRICS]
    if results.difference("sdr"):
        tables += [difference_table(results), *spread_tables(results)]
    if results.silences:
        tables.append(silence_table(results))
    if results.nets:
        tables.append(cost_table(results))
    return tuple(tables)


def _markdown(results: Results) -> str:
    parts = [f"# {headline(results)}", lede(results), *(to_markdown(table) for table in _tables(results))]
    for title, points in (("The numbers say", said(results)), ("The numbers do not say", unsaid(results))):
        parts.append(f"**{title}**\n\n" + "\n".join(f"- **{lead}** {text}" for lead, text in points))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _page(results: Results, parts: "Mapping[str, Section]") -> str:
    assets = files("demix.report") / "assets"
    css, player, abx, template = (
        (assets / name).read_text(encoding="utf-8") for name in ("page.css", "player.js", "abx.js", "template.html")
    )
    return Template(template).substitute(
        title=escape(f"{headline(results)} · demix"),
        css=css.strip(),
        javascript=f"{player}{abx}".strip(),
        name=escape(str(results.facts["name"])),
        created=escape(str(results.facts["created"])[:16].replace("T", " ")),
        version=escape(str(results.facts["version"])),
        headline=_unbroken(escape(glue(headline(results)))),
        lede=escape(glue(lede(results))),
        key_figures=key_figures(results),
        navigation="\n".join(f'<li><a href="#{key}">{title}</a></li>' for key, (title, *_) in parts.items()),
        sections="\n".join(
            f'<section id="{key}" aria-labelledby="{key}-title">\n<h2 id="{key}-title">{title}</h2>\n{body}\n</section>'
            for key, (title, body, _) in parts.items()
        ),
        files=", ".join(f'<a href="{name}">{name}</a>' for name in DATA_FILES),
    )


def _unbroken(text: str) -> str:
    """Keep words with a hyphen, as U-Net, on one line: large type would break them."""
    return re.sub(r"[^\s<>&;]+-[^\s<>&;]+", r"<span>\g<0></span>", text)
