"""Published scores with their spread over songs: for orientation, not measured here."""

from matplotlib import rc_context

from demix.evaluation.published import Spread, read_spread
from demix.report.figure import Plot
from demix.report.panel import panel, sign
from demix.report.svg import INKS, STYLE, render
from demix.report.words import decibels

NAME = "published-sdr_bsseval"
# What the campaign calls systems that the table of published scores names otherwise.
NAMES = {
    "MIX": "Mixture",
    "STL2": "STL2 (Wave-U-Net)",
    "TAK1": "TAK1 (MMDenseLSTM)",
    "IRM2": "IRM2 (oracle ratio mask)",
}
COLOURS = {"mixture": "mixture", "oracle": "oracle", "blind": "hpss"}


def published_plots() -> list[Plot]:
    """Draw median and quartiles over songs of the systems of SiSEC 2018 that separate all four stems."""
    spreads = sorted((row for row in read_spread() if row.stem == "mean"), key=lambda row: row.median_db)
    return [_draw(spreads)] if spreads else []


def _draw(spreads: list[Spread]) -> Plot:
    with rc_context(STYLE):
        figure, axes = panel((4.2, 0.7 + 0.19 * len(spreads)))
        for place, row in enumerate(spreads):
            colour = COLOURS.get(row.kind, "net-1")
            axes.plot([row.low_db, row.high_db], [place, place], color=INKS[colour], solid_capstyle="round")
            hollow = row.kind == "trained on more songs"
            sign(axes, row.median_db, place, colour, hollow=hollow, size=7 if colour != "mixture" else 6)
        axes.set_yticks(range(len(spreads)), labels=[_name(row) for row in spreads])
        axes.set_ylim(-0.6, len(spreads) - 0.4)
        axes.tick_params(axis="y", labelsize=8)
        for label in axes.get_yticklabels():
            label.set_color(INKS["ink"])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("sdr_bsseval, mean over the stems, dB")
        texts = [
            f"{_name(row)} {decibels(row.median_db)} ({decibels(row.low_db)} to {decibels(row.high_db)})"
            for row in spreads
        ]
        text = "; ".join(texts)
        drawing = render(
            figure, name=NAME, text=f"Published, not measured here. sdr_bsseval in dB, quartiles in brackets: {text}."
        )
    columns = ("submission", "kind", "songs", "low_quartile_db", "median_db", "high_quartile_db")
    rows = tuple((row.submission, row.kind, row.songs, row.low_db, row.median_db, row.high_db) for row in spreads)
    return Plot(NAME, _title(spreads), drawing, columns, rows, _note(spreads))


def _title(spreads: list[Spread]) -> str:
    widths = sorted(row.high_db - row.low_db for row in spreads if row.kind.startswith("trained"))
    middle = decibels(widths[len(widths) // 2], digits=1) if widths else "–"
    return f"Published, not measured here: half of the songs lie within {middle} dB of each other for a trained system"


def _note(spreads: list[Spread]) -> str:
    songs = max(row.songs for row in spreads)
    return (
        f"SiSEC 2018, {songs} test songs of MUSDB18: median and quartiles over songs of the mean over the stems, which "
        "is another number than the mean of the stems’ medians in the table. Dots: trained on MUSDB18, hollow with "
        "more songs; triangles: not trained; stars: oracles; bar: the mixture."
    )


def _name(row: Spread) -> str:
    return NAMES.get(row.submission, row.submission)
