"""How sure the difference between two systems is: paired differences with bootstrap intervals.

Two systems are compared on the same songs, so what songs have in common (hard vocals, loud drums) cancels.
The interval is `difference +- t * standard error`, with the bootstrap's standard error (Efron and Tibshirani
1993, "An Introduction to the Bootstrap", chapter 6) and Student's t for the few units that are resampled.
Percentile intervals, the usual choice, are too narrow for few units (Hesterberg 2015, "What Teachers Should
Know about the Bootstrap"): over 5 simulated songs 82 % of them held the true value, of these intervals 94 %.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.scores import SecondRow
from demix.metrics import METRICS, Energies, Floats, mean_of_defined

ENOUGH_SONGS = 5  # from here on songs are resampled, and the interval speaks about other songs of their kind
BLOCK_SECONDS = 10  # music stays alike for seconds; blocks of 5 s gave intervals that were too narrow
CONFIDENCE = 0.95

Unit = Literal["songs", "blocks"]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Difference:
    """How far the first system is ahead of the second.

    Args:
        stem: one of `STEMS`, or `mean`: the mean of the stems' differences.
        metric: a name in `METRICS`.
        difference_db: mean over songs of the first system's score less the second's; NaN if undefined.
            (For `sdr_bsseval` a table shows medians over songs; their difference is another number.)
        low_db: lower end of the 95 % interval; NaN where there is too little music for one.
        high_db: upper end.
        unit: what was resampled. `songs`: the interval holds for other songs like these. `blocks` (of at
            least `BLOCK_SECONDS` in each song, where songs are few): it holds only for more of these songs.
        units: how many of them there are.
        songs: on how many songs both systems have a score.
        wins: on how many of them the first system is ahead.
    """

    stem: str
    metric: str
    difference_db: float
    low_db: float
    high_db: float
    unit: Unit
    units: int
    songs: int
    wins: int


@dataclass(frozen=True)
class _Pair:
    """One song's energies `(stems, seconds)` under both systems."""

    first: Energies
    second: Energies

    def difference(self, metric: str, seconds: Indices | slice = slice(None)) -> Floats:
        """Score's difference over the given seconds: `(stems, ...)` for indices `(..., seconds)`."""
        first, second = (METRICS[metric].score(_take(song, seconds)) for song in (self.first, self.second))
        both = np.isfinite(first) & np.isfinite(second)
        return np.asarray(np.subtract(first, second, out=np.full(both.shape, np.nan), where=both))

    def blocks(self) -> Indices:
        """Consecutive seconds in blocks of nearly equal length of `BLOCK_SECONDS` on: `(blocks, seconds)`.

        Shorter blocks are filled up with the index of the silent second that `_gather` puts at the end.
        """
        seconds = self.first.reference.shape[-1] - 1
        parts = np.array_split(np.arange(seconds), max(1, seconds // BLOCK_SECONDS))
        table = np.full((len(parts), len(parts[0])), seconds)
        for block, part in enumerate(parts):
            table[block, : len(part)] = part
        return table


def paired_differences(
    rows: Iterable[SecondRow],
    first: str,
    second: str,
    *,
    metric: str = "sdr",
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Compare two systems stem by stem on the songs that both have been scored on.

    Scores are computed anew from the energies of the seconds: per song, then the mean over songs of the
    paired differences, for both metrics. With at least `ENOUGH_SONGS` songs the bootstrap draws songs; with
    fewer it draws blocks of consecutive seconds within each song and computes the songs' scores from those.
    A draw in which a score is undefined (every drawn block silent) is left out.

    Args:
        rows: rows of `seconds.csv`; other systems' rows are passed over.
        first: name of one system.
        second: name of the other.
        metric: a name in `METRICS`.
        resamples: number of bootstrap draws.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        `{stem: Difference}` for each of `STEMS` and for `mean`; positive where the first system is better.

    Raises:
        DemixError: for an unknown metric or system, or when the two were not scored on the same songs.
    """
    if metric not in METRICS:
        raise DemixError(f"metric: expected one of {', '.join(METRICS)}, received {metric!r}")
    pairs = _pair(rows, first, second)
    differences = np.stack([pair.difference(metric) for pair in pairs])  # (songs, stems)
    columns = {stem: [index] for index, stem in enumerate(STEMS)} | {"mean": list(range(len(STEMS)))}
    drawn = None
    result = {}
    for stem, column in columns.items():
        of_songs = mean_of_defined(differences[:, column])
        has_score = np.flatnonzero(np.isfinite(of_songs))
        enough = len(has_score) >= ENOUGH_SONGS
        if enough:
            draws = _draw_songs(differences[has_score], resamples, seed)
            units, groups = len(has_score), 1
        else:
            drawn = _draw_blocks(pairs, metric, resamples, seed) if drawn is None else drawn
            draws = mean_of_defined(drawn[has_score], axis=0)
            units, groups = sum(len(pairs[song].blocks()) for song in has_score), len(has_score)
        centre = float(mean_of_defined(mean_of_defined(differences, axis=0)[column]))
        half = _half_width(mean_of_defined(draws[:, column]), units, groups)
        result[stem] = Difference(
            stem=stem,
            metric=metric,
            difference_db=centre,
            low_db=centre - half,
            high_db=centre + half,
            unit="songs" if enough else "blocks",
            units=units,
            songs=len(has_score),
            wins=int((of_songs[has_score] > 0).sum()),
        )
    return result


def _draw_songs(differences: Floats, resamples: int, seed: int) -> Floats:
    """Mean differences of songs drawn with replacement: `(resamples, stems)` from `(songs, stems)`."""
    songs = len(differences)
    drawn = np.random.default_rng(seed).integers(songs, size=(resamples, songs))
    return mean_of_defined(differences[drawn], axis=1)


def _draw_blocks(pairs: Sequence[_Pair], metric: str, resamples: int, seed: int) -> Floats:
    """Each song's difference over blocks drawn with replacement from it: `(songs, resamples, stems)`."""
    rng = np.random.default_rng(seed)
    result = np.empty((len(pairs), resamples, len(STEMS)))
    for song, pair in enumerate(pairs):
        blocks = pair.blocks()
        drawn = blocks[rng.integers(len(blocks), size=(resamples, len(blocks)))]
        result[song] = pair.difference(metric, drawn.reshape(resamples, -1)).T
    return result


def _half_width(draws: Floats, units: int, groups: int) -> float:
    """Half of the interval: t times the bootstrap's standard error.

    Resampling `n` units of a group underestimates the variance by `(n - 1) / n`, which the factor takes back;
    every group (song) of blocks has a mean of its own and costs a degree of freedom.
    """
    defined = draws[np.isfinite(draws)]
    freedom = units - groups
    if freedom < 1 or len(defined) < 2:
        return float("nan")
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt(units / freedom) * defined.std(ddof=1))


def _take(song: Energies, seconds: Indices | slice) -> Energies:
    return Energies(song.reference[:, seconds], song.error[:, seconds], song.counted[:, seconds])


def _pair(rows: Iterable[SecondRow], first: str, second: str) -> list[_Pair]:
    """Gather both systems' energies song by song."""
    cells: dict[str, dict[str, list[SecondRow]]] = {first: {}, second: {}}
    for row in rows:
        if row.system in cells:
            cells[row.system].setdefault(row.track, []).append(row)
    for name, songs in cells.items():
        if not songs:
            raise DemixError(f"{name}: expected a system that was scored, received one without rows")
    unpaired = cells[first].keys() ^ cells[second].keys()
    if unpaired:
        raise DemixError(
            f"{sorted(unpaired)[0]}: expected scores of both {first} and {second} on every song, received "
            "those of one; score both on the same songs"
        )
    return [_Pair(_gather(cells[first][track]), _gather(cells[second][track])) for track in cells[first]]


def _gather(rows: Sequence[SecondRow]) -> Energies:
    """One song's energies `(stems, seconds + 1)`; the last second is silent and counts nowhere."""
    shape = len(STEMS), 2 + max(row.second for row in rows)
    song = Energies(np.zeros(shape), np.zeros(shape), np.zeros(shape, bool))
    for row in rows:
        where = STEMS.index(row.stem), row.second
        song.reference[where] = row.reference_energy
        song.error[where] = row.error_energy
        song.counted[where] = row.counted
    return song
