"""Numbers with intervals: what songs say together, and how far that reaches to other songs."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from demix.evaluation.statistics import CONFIDENCE

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A number with its 95 % interval; the ends are NaN where there is nothing to compute them from.

    `floor` is what something outside the interval, as another training seed, may move the number by: less decides
    nothing.
    """

    value: float
    low: float
    high: float
    units: int
    floor: float = 0.0

    @property
    def decided(self) -> bool:
        """Whether the whole interval lies on one side of zero, and the number is not below its floor."""
        return (self.low > 0 or self.high < 0) and abs(self.value) >= self.floor


def over_units(values: Floats) -> Estimate:
    """Return the mean over independent units (songs), with Student's interval; NaN values are left out.

    Args:
        values: one a unit, `(units,)`.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    mean = float(known.mean())
    half = float("nan")
    if len(known) > 1:
        half = _quantile(len(known) - 1) * float(known.std(ddof=1)) / np.sqrt(len(known))
    return Estimate(mean, mean - half, mean + half, len(known))


def jackknifed(statistic: Callable[[npt.NDArray[np.bool_]], float], units: int) -> Estimate:
    """Return a number computed from pooled units, with the jackknife's interval.

    Each unit (song) is left out once (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 11): the
    way to an interval for a ratio of sums, which has no value per song that could be averaged.

    Args:
        statistic: computes the number from the units marked True.
        units: how many there are.
    """
    value = statistic(np.ones(units, bool))
    half = float("nan")
    if units > 1:
        without = np.array([statistic(np.arange(units) != unit) for unit in range(units)])
        if np.isfinite(without).all():
            half = _quantile(units - 1) * float(np.sqrt((units - 1) * np.var(without)))
    return Estimate(value, value - half, value + half, units)


def _quantile(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
