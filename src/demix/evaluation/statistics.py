"""How sure the difference between two systems is: paired differences with bootstrap intervals.

Two systems are compared on the same songs, so what songs have in common (hard vocals, loud drums) cancels. With
several training seeds they are also paired by seed (the same batches), and the interval speaks about other songs
*and* other trainings: see `crossed.half_width`. With one seed it speaks about these trainings only.

The interval is `difference +- t * standard error`, with the bootstrap's standard error (Efron and Tibshirani
1993, "An Introduction to the Bootstrap", chapter 6) and Student's t for the few units that are resampled.
Percentile intervals, the usual choice, are too narrow for few units (Hesterberg 2015, "What Teachers Should
Know about the Bootstrap"): over 5 simulated songs 82 % of them held the true value, of these intervals 94 %.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import wilcoxon

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.crossed import CONFIDENCE, components, half_width, parts_of
from demix.evaluation.pairs import BLOCK_SECONDS, SongPair, pair_songs
from demix.evaluation.power import ENOUGH_SONGS, detectable
from demix.evaluation.scores import SecondRow
from demix.metrics import METRICS, Floats, mean_of_defined

__all__ = ["BLOCK_SECONDS", "CONFIDENCE", "ENOUGH_SONGS", "Difference", "paired_differences"]

FEWEST_FOR_WILCOXON = 6  # the smallest two-sided p-value of 5 songs is 2 / 2^5: it can never fall below 0.05

Unit = Literal["songs", "blocks"]


@dataclass(frozen=True)
class Difference:
    """How far the first system is ahead of the second.

    Args:
        stem: one of `STEMS`, or `mean`: the mean of the stems' differences.
        metric: a name in `METRICS`.
        difference_db: mean over songs and seeds of the first system's score less the second's; NaN if undefined.
            (For `sdr_bsseval` a table shows medians over songs; their difference is another number.)
        low_db: lower end of the 95 % interval; NaN where there is too little music for one.
        high_db: upper end.
        unit: what was resampled. `songs`: the interval holds for other songs like these. `blocks` (of at
            least `BLOCK_SECONDS` in each song, where songs are few): it holds only for more of these songs.
        units: how many of them there are.
        songs: on how many songs both systems have a score.
        wins: on how many of them the first system is ahead, by the mean over seeds.
        seeds: number of trainings of each system. From two on the interval holds for other trainings too.
        p_value: of Wilcoxon's signed-rank test over songs, of their means over seeds; two-sided. It knows nothing of
            other trainings: it says whether *these* nets differ. NaN with fewer than `FEWEST_FOR_WILCOXON` songs.
        effect_size: Cohen's d_z over songs: mean over standard deviation of the songs' means over seeds.
        song_sd: standard deviation of the true differences over songs, in dB; with one seed it contains `rest_sd`.
        seed_sd: over trainings; with one song it contains `rest_sd`. NaN with one seed.
        rest_sd: of what neither explains. NaN with one seed or one song.
        detectable_db: the smallest true difference that so many units and seeds with such spreads find in 80 % of
            the cases. NaN where there is no interval.
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
    seeds: int = 1
    p_value: float = math.nan
    effect_size: float = math.nan
    song_sd: float = math.nan
    seed_sd: float = math.nan
    rest_sd: float = math.nan
    detectable_db: float = math.nan


def paired_differences(
    rows: Iterable[SecondRow],
    first: str | Sequence[str],
    second: str | Sequence[str],
    *,
    metric: str = "sdr",
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Compare two systems stem by stem on the songs that both have been scored on.

    Scores are computed anew from the energies of the seconds: per song and seed, then the mean over songs of the
    paired differences, for both metrics. With at least `ENOUGH_SONGS` songs the bootstrap draws songs; with
    fewer it draws blocks of consecutive seconds within each song and computes the songs' scores from those. Each
    draw is the same for all seeds. A draw in which a score is undefined (every drawn block silent) is left out.

    Args:
        rows: rows of `seconds.csv`; other systems' rows are passed over.
        first: name of one system's run, or of its runs, one per seed.
        second: that of the other, or those; the k-th run is paired with the k-th.
        metric: a name in `METRICS`.
        resamples: number of bootstrap draws.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        `{stem: Difference}` for each of `STEMS` and for `mean`; positive where the first system is better.

    Raises:
        DemixError: for an unknown metric or system, unequal numbers of seeds, or when not all were scored on the
            same songs.
    """
    if metric not in METRICS:
        raise DemixError(f"metric: expected one of {', '.join(METRICS)}, received {metric!r}")
    runs, others = ((names,) if isinstance(names, str) else tuple(names) for names in (first, second))
    pairs = pair_songs(rows, runs, others)
    differences = np.stack([pair.differences(metric) for pair in pairs])  # (songs, stems, seeds)
    columns = {stem: [index] for index, stem in enumerate(STEMS)} | {"mean": list(range(len(STEMS)))}
    drawn = None
    result = {}
    for stem, column in columns.items():
        of_songs = mean_of_defined(differences[:, column], axis=1)  # (songs, seeds)
        has_score = np.flatnonzero(np.isfinite(of_songs).all(axis=1))
        enough = len(has_score) >= ENOUGH_SONGS
        if enough:
            draws = _draw_songs(differences[has_score], resamples, seed)
            units, groups = len(has_score), 1
        else:
            drawn = _draw_blocks(pairs, metric, resamples, seed) if drawn is None else drawn
            draws = mean_of_defined(drawn[has_score], axis=0)
            units, groups = sum(len(pairs[song].blocks()) for song in has_score), len(has_score)
        means = mean_of_defined(mean_of_defined(differences, axis=0)[column], axis=0)  # (seeds,)
        parts = parts_of(mean_of_defined(draws[:, column], axis=1), means, units=units, groups=groups)
        centre, half = float(means.mean()), math.nan if parts is None else float(half_width(parts))
        by_song = of_songs[has_score].mean(axis=1)
        spread = components(of_songs[has_score])
        result[stem] = Difference(
            stem=stem,
            metric=metric,
            difference_db=centre,
            low_db=centre - half,
            high_db=centre + half,
            unit="songs" if enough else "blocks",
            units=units,
            songs=len(has_score),
            wins=int((by_song > 0).sum()),
            seeds=len(runs),
            p_value=signed_rank_p(by_song),
            effect_size=effect_size(by_song),
            song_sd=spread.song_sd,
            seed_sd=spread.seed_sd,
            rest_sd=spread.rest_sd,
            detectable_db=math.nan if parts is None else detectable(parts),
        )
    return result


def _draw_songs(differences: Floats, resamples: int, seed: int) -> Floats:
    """Mean differences of songs drawn with replacement: `(resamples, stems, seeds)` from `(songs, stems, seeds)`."""
    songs = len(differences)
    drawn = np.random.default_rng(seed).integers(songs, size=(resamples, songs))
    return mean_of_defined(differences[drawn], axis=1)


def _draw_blocks(pairs: Sequence[SongPair], metric: str, resamples: int, seed: int) -> Floats:
    """Each song's difference over blocks drawn with replacement from it: `(songs, resamples, stems, seeds)`."""
    rng = np.random.default_rng(seed)
    result = []
    for pair in pairs:
        blocks = pair.blocks()
        drawn = blocks[rng.integers(len(blocks), size=(resamples, len(blocks)))]
        result.append(np.swapaxes(pair.differences(metric, drawn.reshape(resamples, -1)), 0, 1))
    return np.stack(result)


def signed_rank_p(by_song: Floats) -> float:
    """P-value of Wilcoxon's signed-rank test (1945, Biometrics Bulletin 1, 80-83); 1 where nothing differs at all."""
    if len(by_song) < FEWEST_FOR_WILCOXON:
        return math.nan
    return float(wilcoxon(by_song).pvalue) if by_song.any() else 1.0


def effect_size(by_song: Floats) -> float:
    """Cohen's d_z (1988, "Statistical Power Analysis for the Behavioral Sciences", section 2.3.5)."""
    spread = float(by_song.std(ddof=1)) if len(by_song) > 1 else 0.0
    return float(by_song.mean()) / spread if spread > 0 else math.nan
