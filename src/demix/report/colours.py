"""One colour and one sign per system, the same in every plot, table and legend.

A colour is the name of a CSS variable of the page, which holds a light and a dark value of it (hues: Okabe and Ito,
told apart with every common kind of colour blindness).
"""

# Matplotlib's marker per colour, so that nothing depends on seeing colours, and the same shapes as SVG paths.
MARKERS = {
    "net-1": "o",
    "net-2": "s",
    "net-3": "D",
    "net-4": "v",
    "net-5": "p",
    "net-6": "X",
    "net-7": "<",
    "net-8": ">",
}
NETS = len(MARKERS)  # from here on colours come again; every plot of more nets names each one beside its sign
MARKERS |= {"mixture": "|", "equal": "d", "hpss": "^", "oracle": "*", "baseline": "P"}
_SHAPES = {
    "o": "M5 .8A4.2 4.2 0 1 1 5 9.2 4.2 4.2 0 1 1 5 .8z",
    "s": "M1.2 1.2h7.6v7.6H1.2z",
    "D": "M5 0L10 5 5 10 0 5z",
    "d": "M5 0L8 5 5 10 2 5z",
    "v": "M.5 1.5h9L5 9.5z",
    "^": "M.5 8.5h9L5 .5z",
    "<": "M8.5 .5v9L.5 5z",
    ">": "M1.5 .5v9L9.5 5z",
    "p": "M5 .3L9.8 3.8 8 9.4H2L.2 3.8z",
    "X": "M2.6 .4L5 2.8 7.4 .4 9.6 2.6 7.2 5 9.6 7.4 7.4 9.6 5 7.2 2.6 9.6 .4 7.4 2.8 5 .4 2.6z",
    "|": "M4 0h2v10H4z",
    "P": "M3.4 0h3.2v3.4H10v3.2H6.6V10H3.4V6.6H0V3.4h3.4z",
    "*": "M5 0L6.3 3.4 10 3.6 7.1 5.9 8.1 9.6 5 7.5 1.9 9.6 2.9 5.9 0 3.6 3.7 3.4z",
}


def colour_of(name: str, *, net: int | None) -> str:
    """Return the colour of a system: `net` counts the nets from 0, None is a baseline."""
    if net is not None:
        return f"net-{net % NETS + 1}"
    return name if name in MARKERS else "baseline"


def mark(colour: str | None) -> str:
    """Return the small sign that stands for a system in tables and legends; decoration for a screen reader."""
    if colour is None:
        return ""
    shape = _SHAPES[MARKERS[colour]]
    return f'<svg class="mark" viewBox="0 0 10 10" aria-hidden="true"><path d="{shape}" fill="var(--{colour})"/></svg>'
