"""Does one net's advantage grow with repetition? The slope of the difference over the repetition score."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import linregress
from scipy.stats import t as student

from demix.errors import DemixError
from demix.evaluation.probes.repetition import RepetitionRow
from demix.evaluation.scores import SecondRow
from demix.metrics import Energies, sdr_from_energies

ENOUGH_SONGS = 5  # from here on songs are the units, and the slope speaks about other songs of their kind
LEAST_WINDOWS = 5
CONFIDENCE = 0.95
NAN = float("nan")


class Point(NamedTuple):
    """One song or one window of it.

    Args:
        track: the song's name.
        start_seconds: where the window begins.
        seconds: how long it is.
        whole: whether it is the whole song.
        score: of repetition, 0 to 1.
        difference_db: SDR of the first net less that of the second, mean over seeds.
    """

    track: str
    start_seconds: float
    seconds: float
    whole: bool
    score: float
    difference_db: float


@dataclass(frozen=True)
class Slope:
    """How much the difference grows as the score goes from 0 to 1.

    Args:
        slope_db: NaN if undefined.
        low_db: lower end of the 95 % interval.
        high_db: upper end.
        unit: what is regressed: `songs`, or only `windows` within these few songs.
        units: how many of them.
        songs: from how many songs.
    """

    slope_db: float
    low_db: float
    high_db: float
    unit: Literal["songs", "windows"]
    units: int
    songs: int


def pair_points(
    repetition: Iterable[RepetitionRow],
    seconds: Iterable[SecondRow],
    first: Sequence[str],
    second: Sequence[str],
    *,
    stem: str,
) -> list[Point]:
    """Pair scores of repetition with the difference of two groups of nets on the same seconds.

    Args:
        repetition: rows of `repetition.csv`.
        seconds: rows of `seconds.csv`.
        first: runs of one group, one per seed.
        second: runs of the other.
        stem: whose rows are taken.

    Returns:
        A point for every song and window of it that has a score and a difference.

    Raises:
        DemixError: for a run without rows on a song.
    """
    energy: dict[tuple[str, str], dict[int, tuple[float, float]]] = defaultdict(dict)
    for row in seconds:
        if row.stem == stem and row.system in {*first, *second}:
            energy[row.system, row.track][row.second] = row.reference_energy, row.error_energy
    points = []
    seen: set[str] = set()
    for each in repetition:
        if each.stem != stem:
            continue
        whole = each.track not in seen  # the first row of each stem is the whole song
        seen.add(each.track)
        groups = [[_sdr(energy, run, each) for run in runs] for runs in (first, second)]
        difference = float(np.mean(groups[0]) - np.mean(groups[1]))
        if np.isfinite(difference) and np.isfinite(each.score):
            points.append(Point(each.track, each.start_seconds, each.seconds, whole, each.score, difference))
    return points


def fit_slope(points: Sequence[Point]) -> Slope:
    """Fit the slope of the difference over the score, with a 95 % interval.

    With at least `ENOUGH_SONGS` songs, ordinary least squares over whole songs. With fewer, over the windows with a
    mean of its own for each song (fixed effects: both sides less the song's mean), so that only changes within songs
    count; it then says nothing about other songs. Student's t, with a degree of freedom less for each mean and for the
    slope.

    Args:
        points: of one stem.

    Returns:
        The slope in dB per unit of score; NaN with fewer than `LEAST_WINDOWS` windows, or where all have one score.
    """
    songs = sorted({point.track for point in points})
    whole = [point for point in points if point.whole]
    if len(whole) >= ENOUGH_SONGS:
        x, y = np.array([[point.score, point.difference_db] for point in whole]).T
        if np.ptp(x) == 0:
            return Slope(NAN, NAN, NAN, "songs", len(whole), len(whole))
        fit = linregress(x, y)
        half = _half(float(fit.stderr), len(whole) - 2)
        return Slope(float(fit.slope), float(fit.slope) - half, float(fit.slope) + half, "songs", len(x), len(whole))
    windows = [point for point in points if not point.whole]
    freedom = len(windows) - len(songs) - 1
    undefined = Slope(NAN, NAN, NAN, "windows", len(windows), len(songs))
    if len(windows) < LEAST_WINDOWS or freedom < 1:
        return undefined
    values = np.array([[point.score, point.difference_db] for point in windows])
    for song in songs:
        of_song = np.array([point.track == song for point in windows])
        if of_song.any():
            values[of_song] -= values[of_song].mean(axis=0)
    x, y = values.T
    if not np.square(x).sum() > 1e-12:
        return undefined
    slope = float(x @ y / (x @ x))
    error = float(np.sqrt(np.square(y - slope * x).sum() / freedom / (x @ x)))
    half = _half(error, freedom)
    return Slope(slope, slope - half, slope + half, "windows", len(windows), len(songs))


def _half(error: float, freedom: int) -> float:
    return float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * error


def _sdr(energy: dict[tuple[str, str], dict[int, tuple[float, float]]], run: str, row: RepetitionRow) -> float:
    """SDR of a run over the seconds that begin in a window."""
    song = energy.get((run, row.track))
    if not song:
        raise DemixError(
            f"{run}: expected seconds of {row.stem} on {row.track}, found none; score the run on all songs"
        )
    inside = [pair for second, pair in song.items() if row.start_seconds <= second < row.start_seconds + row.seconds]
    if not inside:
        return NAN
    reference, error = np.array(inside).T
    return float(sdr_from_energies(Energies(reference, error, reference > 0)))
