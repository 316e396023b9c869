"""How sure a mean over songs and training seeds is, when other songs and other trainings might have been drawn.

Each of two nets is trained with several seeds and each training is scored on the same songs. A difference of one
song under one pair of seeds is `mean + song + seed + rest`: two crossed random effects and what is left (Searle,
Casella and McCulloch 1992, "Variance Components", chapter 4). The bootstrap gives the variance of the mean by songs
(or blocks of seconds), the trainings give that by seeds, and what both contain is counted twice.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from demix.metrics import Floats

CONFIDENCE = 0.95
# How far the interval leans to Graybill and Wang's, which is too wide where songs and seeds count alike (97.8 % held
# the true value), from Satterthwaite's, which is too narrow where seeds dominate (92.2 %): see `half_width`.
_LEAN = 1 / 3


@dataclass(frozen=True)
class Parts:
    """The variance of a mean over units (songs or blocks) and seeds, in dB²; numbers, or arrays of one shape.

    With the true values of song, seed and rest in place of estimates it is `unit + seed - rest`.

    Args:
        unit: from units being others: mean square of units over their number times that of seeds.
        seed: from seeds being others: mean square of seeds over the same; 0 with one seed.
        rest: what both contain: mean square of the residual over the same; 0 with one seed.
        unit_freedom: degrees of freedom of `unit`.
        seed_freedom: of `seed`: one less than seeds.
    """

    unit: Floats | float
    seed: Floats | float
    rest: Floats | float
    unit_freedom: int
    seed_freedom: int


@dataclass(frozen=True)
class Components:
    """Standard deviations over songs, over trainings, and of what neither explains, in dB; NaN if not estimable."""

    song_sd: float
    seed_sd: float
    rest_sd: float


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; NaN where undefined."""

    mean: float
    low: float
    high: float


def components(differences: Floats) -> Components:
    """Split the spread of differences into that of songs, of seeds and the rest.

    From the mean squares of the two-way table (Searle et al. 1992, chapter 4); the negative estimates that chance
    brings where a component is near zero are set to 0, so small ones are overestimated on average. With one seed the
    spread of songs contains the rest, with one song that of seeds does.

    Args:
        differences: dB, `(songs, seeds)`, all finite.
    """
    songs, seeds = differences.shape
    if songs < 2 or seeds < 2:
        spread = float(differences.std(ddof=1)) if differences.size > 1 else math.nan
        return Components(spread if songs > 1 else math.nan, spread if seeds > 1 else math.nan, math.nan)
    by_song, by_seed = differences.mean(axis=1), differences.mean(axis=0)
    residual = differences - by_song[:, None] - by_seed + differences.mean()
    rest = float((residual**2).sum() / ((songs - 1) * (seeds - 1)))
    return Components(
        song_sd=math.sqrt(max(float(by_song.var(ddof=1)) - rest / seeds, 0)),
        seed_sd=math.sqrt(max(float(by_seed.var(ddof=1)) - rest / songs, 0)),
        rest_sd=math.sqrt(rest),
    )


def parts_of(draws: Floats, means: Floats, *, units: int, groups: int) -> Parts | None:
    """Get the variance's parts from a bootstrap that drew the same units for all seeds.

    Resampling `n` units of a group underestimates the variance by `(n - 1) / n`, which a factor takes back; every
    group (song) of blocks has a mean of its own and costs a degree of freedom.

    Args:
        draws: the mean difference of every draw under every seed, `(resamples, seeds)`; rows with NaN are left out.
        means: the mean difference under every seed, `(seeds,)`.
        units: how many units there are.
        groups: of how many groups they were drawn, each by itself.

    Returns:
        None where there is too little to estimate a variance from.
    """
    draws = draws[np.isfinite(draws).all(axis=1)]
    freedom, seeds = units - groups, len(means)
    if freedom < 1 or len(draws) < 2:
        return None
    over_seeds = draws.mean(axis=1)
    factor, several = units / freedom, seeds > 1
    rest = (draws - over_seeds[:, None]).var(axis=0, ddof=1).sum() / ((seeds - 1) * seeds) if several else 0.0
    return Parts(
        unit=factor * float(over_seeds.var(ddof=1)),
        seed=float(means.var(ddof=1)) / seeds if several else 0.0,
        rest=factor * float(rest),
        unit_freedom=freedom,
        seed_freedom=seeds - 1,
    )


def interval_of(values: Floats) -> Interval:
    """Return the mean of a table with its 95 % interval, for other units and other seeds: see `half_width`.

    Args:
        values: dB, `(units, seeds)`; a unit with an undefined value is left out.
    """
    defined = values[np.isfinite(values).all(axis=1)]
    units, seeds = defined.shape
    mean = float(defined.mean()) if defined.size else math.nan
    if units < 2:
        return Interval(mean, math.nan, math.nan)
    by_unit, by_seed = defined.mean(axis=1), defined.mean(axis=0)
    unit, seed, rest = float(by_unit.var(ddof=1)) / units, 0.0, 0.0
    if seeds > 1:
        residual = defined - by_unit[:, None] - by_seed + mean
        seed = float(by_seed.var(ddof=1)) / seeds
        rest = float((residual**2).sum()) / ((units - 1) * (seeds - 1) * units * seeds)
    half = float(half_width(Parts(unit, seed, rest, units - 1, seeds - 1)))
    return Interval(mean, mean - half, mean + half)


def half_width(parts: Parts, *, confidence: float = CONFIDENCE) -> Floats:
    """Half of the interval around the mean, in dB.

    With one seed it is Student's t times the standard error. With more, the plain estimate of the variance fails: two
    degrees of freedom (three seeds) let the seeds' part come out near zero by chance, and 10 % of the intervals miss.
    So only as much of `rest` is taken off `seed` as is safe (`1 - 2 / f` of it, the mean of 1 / F being `f / (f - 2)`),
    and where `seed` falls below `rest`, which says that it is chance, the shortfall, a quarter of which is then taken
    off `unit` too (half of `unit` at most; tuned by simulation). The squared half width is two thirds Satterthwaite's
    (1946, Biometrics Bulletin 2, 110-114), t² by effective degrees of freedom times the variance, and one third
    Graybill and Wang's (1980, JASA 75, 869-873), z² times the variance and in quadrature what t² of each part exceeds
    z² by. Where one part is all there is, both are its t interval.

    Of simulated 95 % intervals over 5 to 50 units and 3 to 20 seeds, whatever the shares of song, seed and rest,
    93.4 to 97.2 % hold the true value (`tests/test_coverage.py`). With two seeds, one degree of freedom, nothing is
    taken off and all is Graybill and Wang's, because nothing else stays above 93 %: 94.8 to 99.6 %.
    """
    probability = (1 + confidence) / 2
    unit, seed, rest = (np.asarray(part, dtype=np.float64) for part in (parts.unit, parts.seed, parts.rest))
    by_unit = stdtrit(parts.unit_freedom, probability)
    if parts.seed_freedom < 1:
        return by_unit * np.sqrt(unit)
    by_seed, by_normal = stdtrit(parts.seed_freedom, probability), ndtri(probability)
    lean = 1.0
    if parts.seed_freedom > 1:
        lean = _LEAN
        shortfall = np.maximum(rest - seed, 0)
        seed = np.maximum(seed - np.maximum((1 - 2 / parts.seed_freedom) * rest, shortfall), 0)
        unit = np.maximum(unit - shortfall / 4, unit / 2)
    variance = unit + seed
    spread = unit**2 / parts.unit_freedom + seed**2 / parts.seed_freedom
    freedom = np.divide(variance**2, spread, out=np.ones_like(spread), where=spread > 0)
    satterthwaite = stdtrit(freedom, probability) ** 2 * variance
    excess = np.hypot((by_unit**2 - by_normal**2) * unit, (by_seed**2 - by_normal**2) * seed)
    graybill_wang = by_normal**2 * variance + excess
    return np.asarray(np.sqrt((1 - lean) * satterthwaite + lean * graybill_wang))
