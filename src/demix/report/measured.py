"""A table of measurements from a results folder as columns, checked once so that the plots can trust it."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demix.errors import DemixError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Rows of one CSV file, column by column.

    Args:
        text: column -> its texts, `(rows,)`.
        number: column -> its numbers, `(rows,)`; NaN for an empty cell.
    """

    text: Mapping[str, npt.NDArray[Any]]
    number: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(next(iter(self.text.values())))

    def where(self, **wanted: str | float) -> "Measured":
        """Return the rows whose columns hold these values."""
        keep = np.ones(len(self), bool)
        for column, value in wanted.items():
            keep &= (self.text[column] if column in self.text else self.number[column]) == value
        return self.only(keep)

    def only(self, keep: npt.NDArray[np.bool_]) -> "Measured":
        """Return the rows marked True."""
        text = {name: column[keep] for name, column in self.text.items()}
        return Measured(text, {name: column[keep] for name, column in self.number.items()})

    def unique(self, column: str) -> list[str]:
        """Return the texts of a column, each once, in the order in which they come."""
        return list(dict.fromkeys(self.text[column].tolist()))

    def levels(self, column: str) -> list[float]:
        """Return the numbers of a column, each once, rising; without NaN."""
        return sorted({value for value in self.number[column].tolist() if value == value})


def read_measured(path: Path, *, text: Sequence[str], number: Sequence[str]) -> Measured | None:
    """Read a CSV file with a header; columns that are not asked for are passed over.

    Args:
        path: of the file.
        text: names of the columns of text.
        number: names of the columns of numbers; an empty cell is NaN.

    Returns:
        The columns; None where there is no file, or nothing in it but its header (nothing was measured).

    Raises:
        DemixError: when the file cannot be read, lacks a column, or holds something that is no number.
    """
    if not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            rows, header = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DemixError(f"{path}: cannot be read as a table ({error}); measure again") from error
    missing = [name for name in (*text, *number) if name not in header]
    if missing:
        raise DemixError(f"{path}: expected a column {missing[0]}, received {', '.join(header)}; measure again")
    texts: dict[str, list[str]] = {name: [] for name in text}
    numbers: dict[str, list[float]] = {name: [] for name in number}
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise DemixError(f"{path}: expected {len(header)} cells in row {line}, received others; measure again")
        for name in text:
            texts[name].append(row[name])
        for name in number:
            numbers[name].append(_number(path, line, name, row[name]))
    if not rows:
        return None
    columns = {name: np.array(column) for name, column in texts.items()}
    return Measured(columns, {name: np.array(column, dtype=np.float64) for name, column in numbers.items()})


def _number(path: Path, line: int, name: str, cell: str) -> float:
    try:
        return float(cell or "nan")
    except ValueError as error:
        raise DemixError(
            f"{path}: expected a number under {name} in row {line}, received {cell!r}; measure again"
        ) from error
