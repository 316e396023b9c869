"""A net's trainings as curves: loss and validation SDR against steps and against training time."""

import csv
from collections.abc import Sequence
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


@dataclass(frozen=True)
class Band:
    """One net's trainings together, `(points,)` each.

    Args:
        x: steps, or the mean over the seeds of the seconds at a step.
        mean: over the seeds.
        low: lowest of the seeds.
        high: highest of them.
    """

    x: Curve
    mean: Curve
    low: Curve
    high: Curve


def band(histories: Sequence[History], quantity: str, against: str, *, width: int | None = None) -> Band:
    """Return the mean and the range of `loss` or `valid_sdr` over trainings, at the steps that all of them have.

    Args:
        histories: one a seed.
        quantity: `loss` or `valid_sdr`.
        against: `step` or `seconds`.
        width: over how many neighbours each training is averaged first; None for a fortieth of the loss.
    """
    steps, x, y = [], [], []
    for history in histories:
        known = np.isfinite(getattr(history, quantity))
        values = getattr(history, quantity)[known]
        wide = (max(1, len(values) // 40) if quantity == "loss" else 1) if width is None else width
        steps.append(history.step[known])
        x.append(getattr(history, against)[known])
        y.append(smooth(values, wide) if wide > 1 else values)
    shared = steps[0][np.all([np.isin(steps[0], other) for other in steps], axis=0)]
    places = [np.searchsorted(each, shared) for each in steps]
    values = np.array([curve[place] for curve, place in zip(y, places, strict=True)])
    along = np.mean([curve[place] for curve, place in zip(x, places, strict=True)], axis=0)
    return Band(along, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


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
