"""What a comparison of so many songs and seeds can find: the smallest difference, and how many songs one needs.

The interval is `crossed.half_width`'s. Given the mean squares that it is computed from, whether it excludes zero is a
question to the normal distribution; given normal effects the mean squares are chi-squared (Searle, Casella and
McCulloch 1992, "Variance Components", chapter 4). So the power is a mean of normal probabilities over chi-squared
values, taken here over fixed, evenly spread points (Sobol). With one seed that is the noncentral t distribution, and
with more it is the power of the very interval that is reported, where a formula would be one of a simpler interval.
"""

import math
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr
from scipy.stats import qmc

from demix.errors import DemixError
from demix.evaluation.crossed import CONFIDENCE, Parts, half_width
from demix.metrics import Floats

POWER = 0.8  # how often a difference of the size asked about is to be found
ENOUGH_SONGS = 5  # from here on songs are resampled, and the interval speaks about other songs of their kind
MOST_SONGS = 1_000_000  # what this many songs cannot show, no number can
_POINTS = 512


def minimum_detectable(
    *,
    song_sd: float,
    seed_sd: float,
    rest_sd: float,
    songs: int,
    seeds: int,
    power: float = POWER,
    confidence: float = CONFIDENCE,
) -> float:
    """Return the smallest true difference in dB that is found with the given power.

    Found means: the interval excludes zero on the right side. With one seed only the songs are resampled and the
    interval cannot know what another training would move: then it is infinite unless `seed_sd` is 0.

    Args:
        song_sd: standard deviation over songs of the paired differences, in dB.
        seed_sd: over trainings.
        rest_sd: of what neither explains, per song and training.
        songs: number of songs, two or more.
        seeds: number of trainings of each net.
        power: probability of finding it.
        confidence: of the interval.

    Raises:
        DemixError: for a spread that is negative or NaN, or for too few songs or seeds.
    """
    _check(song_sd, seed_sd, rest_sd, seeds)
    if songs < 2:
        raise DemixError(f"songs: expected two or more, received {songs}")
    if seeds == 1:
        if seed_sd > 0:
            return math.inf
        song_sd, rest_sd = math.hypot(song_sd, rest_sd), 0.0  # one training cannot tell them apart
    rest = rest_sd**2 / (songs * seeds)
    unit, seed = song_sd**2 / songs + rest, seed_sd**2 / seeds + rest
    return detectable(Parts(unit, seed, rest, songs - 1, seeds - 1), power=power, confidence=confidence)


def songs_needed(
    difference_db: float,
    *,
    song_sd: float,
    seed_sd: float,
    rest_sd: float,
    seeds: int,
    power: float = POWER,
    confidence: float = CONFIDENCE,
) -> int | None:
    """Return how many songs it takes to find a true difference, at least `ENOUGH_SONGS`.

    Args:
        difference_db: its size; the sign does not matter.
        song_sd: as in `minimum_detectable`, with the other spreads.
        seed_sd: over trainings.
        rest_sd: of the rest.
        seeds: number of trainings of each net.
        power: probability of finding it.
        confidence: of the interval.

    Returns:
        None where no number of songs does it: more seeds are needed.

    Raises:
        DemixError: for a spread that is negative or NaN, an undefined difference, or too few seeds.
    """
    _check(song_sd, seed_sd, rest_sd, seeds)
    if math.isnan(difference_db):
        raise DemixError("difference_db: expected a number of dB, received NaN; there is no difference to plan for")

    def shows(songs: int) -> bool:
        least = minimum_detectable(
            song_sd=song_sd,
            seed_sd=seed_sd,
            rest_sd=rest_sd,
            songs=songs,
            seeds=seeds,
            power=power,
            confidence=confidence,
        )
        return least <= abs(difference_db)

    if difference_db == 0 or not shows(MOST_SONGS):
        return None
    few, many = ENOUGH_SONGS - 1, MOST_SONGS
    while many - few > 1:
        middle = math.isqrt(few * many) if many > 2 * few else (few + many) // 2
        few, many = (few, middle) if shows(middle) else (middle, many)
    return many


def detectable(parts: Parts, *, power: float = POWER, confidence: float = CONFIDENCE) -> float:
    """Return the smallest true difference in dB that an interval made of such variances finds.

    Args:
        parts: the *expected* parts of the variance of the mean difference, single numbers.
        power: probability of finding it.
        confidence: of the interval.
    """
    rest = float(parts.rest)
    unit, seed = (max(float(part), rest) for part in (parts.unit, parts.seed))  # as expected ones are, if not estimates
    chi = [_chi_squared(freedom, axis) for axis, freedom in enumerate(_freedoms(parts))]
    sampled = Parts(unit * chi[0], seed * chi[1], rest * chi[2], parts.unit_freedom, parts.seed_freedom)
    halves = half_width(sampled, confidence=confidence)
    error = math.sqrt(unit + seed - rest)
    if error == 0:
        return float(halves.mean())

    def excess(in_errors: float) -> float:
        return float(ndtr(in_errors - halves / error).mean()) - power

    return error * float(brentq(excess, -1, float(halves.max()) / error + 10))


def _freedoms(parts: Parts) -> tuple[int, int, int]:
    """Degrees of freedom of units, seeds and rest; with one seed the last two are multiplied with 0 anyway."""
    by_seed = max(parts.seed_freedom, 1)
    return parts.unit_freedom, by_seed, parts.unit_freedom * by_seed


@lru_cache(maxsize=64)
def _chi_squared(freedom: int, axis: int) -> Floats:
    """Chi-squared values over their degrees of freedom at the evenly spread points: `(points,)`."""
    return np.asarray(2 / freedom * gammaincinv(freedom / 2, _uniform()[axis]))


@lru_cache(maxsize=1)
def _uniform() -> Floats:
    """Points evenly spread in the unit cube: `(3, points)`."""
    return np.ascontiguousarray(qmc.Sobol(3, seed=0).random(_POINTS).T)


def _check(song_sd: float, seed_sd: float, rest_sd: float, seeds: int) -> None:
    for name, value in (("song_sd", song_sd), ("seed_sd", seed_sd), ("rest_sd", rest_sd)):
        if not value >= 0:
            raise DemixError(f"{name}: expected a spread in dB of 0 or more, received {value}; give an assumption")
    if seeds < 1:
        raise DemixError(f"seeds: expected one or more, received {seeds}")
