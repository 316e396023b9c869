"""Numbers with intervals: what songs say together, and how far that reaches to other songs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from demix.evaluation.statistics import CONFIDENCE

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A number with its 95 % interval; the ends are NaN where there is nothing to compute them from."""

    value: float
    low: float
    high: float
    units: int

    @property
    def decided(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


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


@dataclass(frozen=True)
class Line:
    """A straight line fitted by least squares.

    Args:
        slope: with its 95 % interval.
        centre: mean of x.
        height: mean of y.
        residual: variance of y around the line.
        spread: sum of squares of x around its mean.
    """

    slope: Estimate
    centre: float
    height: float
    residual: float
    spread: float

    def at(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the line's height at `x`, and half of its 95 % interval there."""
        variance = self.residual * (1 / self.slope.units + (x - self.centre) ** 2 / self.spread)
        return self.height + self.slope.value * (x - self.centre), _quantile(self.slope.units - 2) * np.sqrt(variance)


def slope_of(x: Floats, y: Floats) -> Line | None:
    """Fit a line through points `(points,)`; None with fewer than three, or where all `x` are equal."""
    from scipy.stats import linregress  # takes half a second to import

    if len(x) < 3 or np.ptp(x) == 0:
        return None
    fitted = linregress(x, y)
    half = _quantile(len(x) - 2) * float(fitted.stderr)
    slope = Estimate(float(fitted.slope), float(fitted.slope) - half, float(fitted.slope) + half, len(x))
    spread = float(np.square(x - x.mean()).sum())
    return Line(slope, float(x.mean()), float(y.mean()), float(fitted.stderr) ** 2 * spread, spread)
