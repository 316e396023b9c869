"""The interval of a mean over units (songs, bases) and seeds."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from demix.metrics import Floats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; NaN where undefined."""

    mean: float
    low: float
    high: float


def interval(values: Floats) -> Interval:
    """Return the mean of `(units, seeds)` with its 95 % interval.

    Units and seeds are both drawn at random and cross (a two-way random effects model: Searle, Casella and McCulloch
    1992, "Variance Components"). The mean's variance is that of the units' means plus that of the seeds' means less the
    rest that both count, never under the larger of the two, whose degrees of freedom Student's t takes. With a single
    seed the units are all there is.

    Args:
        values: `(units, seeds)`; a unit with an undefined value is left out.
    """
    defined = values[np.isfinite(values).all(axis=1)]
    units, seeds = defined.shape
    mean = float(defined.mean()) if defined.size else float("nan")
    if units < 2:
        return Interval(mean, float("nan"), float("nan"))
    of_units = float(defined.mean(axis=1).var(ddof=1)) / units
    variance, freedom = of_units, units - 1
    if seeds > 1:
        of_seeds = float(defined.mean(axis=0).var(ddof=1)) / seeds
        rest = defined - defined.mean(axis=1, keepdims=True) - defined.mean(axis=0) + mean
        both = float(np.square(rest).sum()) / ((units - 1) * (seeds - 1)) / (units * seeds)
        variance = max(of_units + of_seeds - both, of_units, of_seeds)
        freedom = units - 1 if of_units >= of_seeds else seeds - 1
    half = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * variance**0.5
    return Interval(mean, mean - half, mean + half)
