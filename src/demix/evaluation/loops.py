"""What repetition does to a net: its scores on counterfactual loop songs, paired over what the songs share.

The three songs of a base (`demix.data.loops`) differ in nothing but the order of the drum hits, so the difference of a
net's scores on two of them is the effect of repetition on this net. The hypothesis says that attention finds
repetitions and convolution does not: the effect is positive for the ViT, none for the U-Net, and larger for the ViT.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

from demix.config import STEMS
from demix.data.loops import LoopSong
from demix.errors import DemixError
from demix.evaluation.scores import ScoreRow
from demix.metrics import Floats, mean_of_defined

CONTRASTS = (("exact", "never"), ("varied", "never"))
COUNTS_DB = 0.3  # an effect below it does not matter, whatever its interval
CONFIDENCE = 0.95
ENOUGH_SONGS = 5  # from here on songs are the units, as everywhere in demix; below it bases, of the same few songs

Answer = Literal["agree", "contradict", "cannot tell"]
Unit = Literal["songs", "bases"]


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; NaN where undefined."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class RepetitionEffect:
    """How much better drums (or a mean of stems) come out where they repeat.

    Args:
        group: the nets, one per seed; for an interaction `first - second`.
        stem: one of `STEMS`, or `mean`: of the stems' effects.
        contrast: `exact - never` or `varied - never`.
        effect_db: mean over units and seeds; NaN if undefined.
        low_db: lower end of the 95 % interval.
        high_db: upper end.
        unit: what the interval is about: other `songs`, or only other `bases` of these few songs.
        units: how many of them.
        seeds: how many nets.
        wins: in how many units the effect is positive.
        prediction: what the hypothesis predicts, in words.
        answer: what the numbers say to it.
    """

    group: str
    stem: str
    contrast: str
    effect_db: float
    low_db: float
    high_db: float
    unit: Unit
    units: int
    seeds: int
    wins: int
    prediction: str
    answer: Answer


def repetition_effects(
    rows: Iterable[ScoreRow],
    songs: Sequence[LoopSong],
    groups: Mapping[str, Sequence[str]],
    *,
    attention: str = "vit",
    convolution: str = "unet",
    metric: str = "sdr",
) -> list[RepetitionEffect]:
    """Compute the effect of repetition on each group of nets, and how much larger it is with attention.

    Args:
        rows: rows of `scores.csv` on loop songs; other songs' rows are passed over.
        songs: what `demix.data.loops.read_songs` read.
        groups: group -> the names of its runs, one per seed, in the order in which they are paired.
        attention: the group that the hypothesis is about.
        convolution: the group that it is compared with.
        metric: a name in `demix.metrics.METRICS`.

    Returns:
        For drums and for the mean of the stems: both contrasts of every group, and where both groups are there the
        interaction `attention - convolution` of both contrasts.

    Raises:
        DemixError: for a run without scores on one of the songs, or groups of unequal numbers of seeds.
    """
    if not songs:
        raise DemixError("loops: expected loop songs, received none; make them with `demix data loops`")
    unit: Unit = "songs" if len({song.song for song in songs}) >= ENOUGH_SONGS else "bases"
    table = {(row.system, row.track, row.stem): row.value for row in rows if row.metric == metric}
    effects = []
    for stem in ("drums", "mean"):
        for contrast in CONTRASTS:
            name = " - ".join(contrast)
            values = {group: _differences(table, songs, runs, stem, contrast) for group, runs in groups.items()}
            for group, each in values.items():
                predicted = {attention: 1, convolution: 0}.get(group)
                effects.append(_effect(group, stem, name, each, unit, predicted=predicted))
            if attention in values and convolution in values:
                first, second = values[attention], values[convolution]
                if first.shape != second.shape:
                    raise DemixError(
                        f"loops: expected as many seeds of {attention} as of {convolution}, received {first.shape[1]} "
                        f"and {second.shape[1]}; score as many of each"
                    )
                group = f"{attention} - {convolution}"
                effects.append(_effect(group, stem, name, first - second, unit, predicted=1))
    return effects


def interval(values: Floats) -> Interval:
    """Return the mean of `(units, seeds)` with its 95 % interval.

    Units and seeds are both drawn at random and cross. The standard error is that of Owen (2007), "The pigeonhole
    bootstrap": the variance of the units' means plus that of the seeds' means less what both count, never under the
    larger of the two; Student's t has the degrees of freedom of the smaller number. A single seed leaves the units.

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


def judge(found: Interval, *, predicted: int | None) -> Answer:
    """Hold an interval against a prediction.

    Args:
        found: the effect.
        predicted: 1 for an effect above zero; 0 for none that counts (`COUNTS_DB`); None for no prediction.

    Returns:
        `agree` when the whole interval is as predicted; `contradict` when no effect of the predicted kind that counts
        is inside; else `cannot tell`.
    """
    if predicted is None or not np.isfinite(found.low):
        return "cannot tell"
    if predicted:
        return "agree" if found.low > 0 else "contradict" if found.high < COUNTS_DB else "cannot tell"
    if found.low > -COUNTS_DB and found.high < COUNTS_DB:
        return "agree"
    return "contradict" if found.low > 0 or found.high < 0 else "cannot tell"


def _differences(
    table: Mapping[tuple[str, str, str], float],
    songs: Sequence[LoopSong],
    runs: Sequence[str],
    stem: str,
    contrast: tuple[str, str],
) -> Floats:
    """Differences between two conditions, `(units, seeds)`; units are songs where there are enough, else bases."""
    tracks = {(song.base, song.condition): song.track for song in songs}
    song_of = {song.base: song.song for song in songs}

    def score(run: str, base: str, condition: str) -> Floats:
        track = tracks.get((base, condition), f"{base}-{condition}")
        return np.array([_look_up(table, run, track, each) for each in (STEMS if stem == "mean" else (stem,))])

    first, second = contrast
    of_bases = np.array(
        [[mean_of_defined(score(run, base, first) - score(run, base, second)) for run in runs] for base in song_of]
    )
    names = list(dict.fromkeys(song_of.values()))
    if len(names) < ENOUGH_SONGS:
        return of_bases
    places = np.array([names.index(song) for song in song_of.values()])
    return np.stack([mean_of_defined(of_bases[places == place], axis=0) for place in range(len(names))])


def _look_up(table: Mapping[tuple[str, str, str], float], run: str, track: str, stem: str) -> float:
    try:
        return table[run, track, stem]
    except KeyError as error:
        raise DemixError(
            f"{run}: expected a score of {stem} on {track}, found none; score the run on all loop songs"
        ) from error


def _effect(
    group: str, stem: str, contrast: str, values: Floats, unit: Unit, *, predicted: int | None
) -> RepetitionEffect:
    found = interval(values)
    means = values.mean(axis=1)
    return RepetitionEffect(
        group=group,
        stem=stem,
        contrast=contrast,
        effect_db=found.mean,
        low_db=found.low,
        high_db=found.high,
        unit=unit,
        units=int(np.isfinite(means).sum()),
        seeds=values.shape[1],
        wins=int((means > 0).sum()),
        prediction={1: "above zero", 0: f"within {COUNTS_DB} dB of zero", None: "none"}[predicted],
        answer=judge(found, predicted=predicted),
    )
