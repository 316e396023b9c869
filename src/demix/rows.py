"""Rows of a table, written as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from demix.files import atomic


def write_rows(path: Path, fields: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, whole or not at all: floats with ten digits, NaN as an empty cell, a truth value as 0 or 1.

    Args:
        path: the file.
        fields: the columns, as `Row._fields` of a named tuple.
        rows: of these columns.

    Raises:
        DemixError: when the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([_cell(value) for value in row] for row in rows)
    with atomic(path) as file:
        file.write(text.getvalue().encode())


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.10g}"
