"""One net's training as curves: loss and validation SDR against steps and against training time."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from demix.errors import DemixError

Curve = npt.NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """What a training run wrote down, one entry a row.

    Args:
        step: optimiser steps done, `(rows,)`.
        seconds: training time since the start, `(rows,)`.
        loss: training loss, `(rows,)`; NaN where a row has none.
        valid_sdr: mean `sdr` over the stems of the validation songs in dB, `(rows,)`; NaN between validations.
    """

    step: Curve
    seconds: Curve
    loss: Curve
    valid_sdr: Curve

    def curve(self, quantity: str, against: str) -> tuple[Curve, Curve]:
        """Return the points of `loss` or `valid_sdr` against `step` or `seconds`, NaN left out."""
        x, y = getattr(self, against), getattr(self, quantity)
        known = np.isfinite(y)
        return x[known], y[known]

    def rise_db(self) -> float | None:
        """Return how much the best validation SDR rose in the last quarter of the steps, None if unknown."""
        step, sdr = self.curve("valid_sdr", "step")
        early = sdr[step <= 0.75 * self.step[-1]] if len(step) else sdr
        return float(sdr.max() - early.max()) if len(early) else None


def smooth(values: Curve, width: int) -> Curve:
    """Return the mean of `values` over `width` neighbours, fewer at both ends."""
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def read_history(path: Path) -> History:
    """Read `history-<system>.csv`: `step,seconds,loss,learning_rate,valid_sdr`.

    Raises:
        DemixError: when the file has no rows, lacks a column, or holds something that is no number.
    """
    columns = ("step", "seconds", "loss", "valid_sdr")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        values = np.array([[float(row[column] or "nan") for column in columns] for row in rows], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise DemixError(
            f"{path}: expected rows of numbers under {', '.join(columns)}, received {error}; evaluate again"
        ) from error
    if not len(values):
        raise DemixError(f"{path}: expected at least one row, received none; train again")
    return History(*values.T)
