"""Published scores with their spread over songs: for orientation, not measured here."""

from demix.report.figure import Plot


def published_plots() -> list[Plot]:
    """Draw the quartiles over songs of the systems of SiSEC 2018."""
    return []
