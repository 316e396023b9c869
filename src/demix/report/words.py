"""Small English: numbers and counts as a reader expects them."""

import re
from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """Write `one song`, `3 songs`."""
    return f"one {noun}" if number == 1 else f"{number:,} {noun}s"


def join(items: Sequence[str]) -> str:
    """Write `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def duration(seconds: float) -> str:
    """Write a time as a person would: `40 seconds`, `4.2 minutes`, `3.5 hours`."""
    for size, noun in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {noun}".replace(".0 ", " ")
    return f"{seconds:.0f} seconds"


def sentence(text: str) -> str:
    """Begin with a capital letter."""
    return text[:1].upper() + text[1:]


def decibels(value: float | None, *, digits: int = 2, signed: bool = False) -> str:
    """Write decibels without the unit, with a true minus sign; a dash where the value is undefined."""
    if value is None or value != value:
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def interval(low: float, high: float) -> str:
    """Write both ends of an interval in decibels, a dash where there is none."""
    return "–" if low != low else f"{decibels(low, signed=True)} to {decibels(high, signed=True)}"


def glue(text: str) -> str:
    """Keep numbers and their units on one line."""
    return re.sub(r"(?<=[\d…]) (?=(dB|%|s|kHz|minutes|hours|seconds)\b|%)", "\u00a0", text)
