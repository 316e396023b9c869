"""Matplotlib figures as inline SVG that takes its colours and its font from the page, light or dark."""

import io
import re
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from demix.report.colours import MARKERS

# Stand-ins that matplotlib draws with and the page's style sheet replaces: name -> colour no plot uses otherwise.
INKS = {name: f"#{index:02x}fe{index:02x}" for index, name in enumerate(("ink", "muted", "line", "card", *MARKERS))}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9.5,
    "text.color": INKS["ink"],
    "axes.labelcolor": INKS["muted"],
    "axes.edgecolor": INKS["line"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": INKS["line"],
    "grid.linewidth": 0.6,
    "xtick.color": INKS["line"],
    "ytick.color": INKS["line"],
    "xtick.labelcolor": INKS["muted"],
    "ytick.labelcolor": INKS["muted"],
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.unicode_minus": True,
}


def render(figure: Figure, *, name: str, text: str) -> str:
    """Write a figure as an `<svg>` element of the page.

    Args:
        figure: drawn within `style()`, with colours from `INKS`.
        name: unique in the page; it prefixes the ids inside, which several figures would otherwise share.
        text: what the figure shows, for those who cannot see it.
    """
    buffer = io.StringIO()
    with rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    markup = buffer.getvalue()
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r"<metadata>.*?</metadata>\s*", "", markup, flags=re.DOTALL)
    markup = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", markup)
    for ink, colour in INKS.items():
        markup = markup.replace(colour, f"var(--{ink})")
    head = re.search(r'viewBox="[^"]*"', markup)
    body = markup[markup.index(">") + 1 :]
    box = head.group(0) if head else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box} role="img" '
        f'aria-label="{escape(text)}">{body}'.strip()
    )
