"""What repetition does to a net: its scores on counterfactual loop songs, paired over what the songs share.

The three songs of a base (`demix.data.loops`) differ in nothing but the order of the drum hits, so the difference of a
net's scores on two of them is the effect of repetition on this net. The hypothesis says that attention finds
repetitions and convolution does not: the effect is positive for the ViT, none for the U-Net, and larger for the ViT.

Only the middle loop counts, which is the same in all conditions: its sound is equal to the sample, so what is left is
what a net makes of the surroundings. Over whole songs the order of each loop would count too (a kick on a bass note),
and not only as noise: `exact` is one loop's SDR, `never` that of the sum of many loops' errors. The logarithm of a mean
is above the mean of logarithms, so a net without any memory, whose error varies by 2.5 dB between orders, would seem to
lose 0.7 dB where nothing repeats.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import Literal

import numpy as np

from demix.config import CHANNELS, SAMPLE_RATE, STEMS
from demix.data.levels import SILENCE_DB
from demix.data.loop_patterns import Loops
from demix.data.loops import LoopSong
from demix.errors import DemixError
from demix.evaluation.crossed import Interval, interval_of
from demix.evaluation.scores import SecondRow
from demix.metrics import SDR_EPSILON, Floats, mean_of_defined

CONTRASTS = (("exact", "never"), ("varied", "never"))
COUNTS_DB = 0.3  # an effect below it does not matter, whatever its interval
ENOUGH_SONGS = 5  # from here on songs are the units, as everywhere in demix; below it bases, of the same few songs

Answer = Literal["agree", "contradict", "cannot tell"]
Unit = Literal["songs", "bases"]


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
    rows: Iterable[SecondRow],
    songs: Sequence[LoopSong],
    groups: Mapping[str, Sequence[str]],
    *,
    attention: str = "vit",
    convolution: str = "unet",
    loop_seconds: float = 1.0,
) -> list[RepetitionEffect]:
    """Compute the effect of repetition on each group of nets, and how much larger it is with attention.

    Args:
        rows: rows of `seconds.csv` on loop songs; other songs' rows are passed over.
        songs: what `demix.data.loops.read_songs` read.
        groups: group -> the names of its runs, one per seed, in the order in which they are paired.
        attention: the group that the hypothesis is about.
        convolution: the group that it is compared with.
        loop_seconds: length of the songs' loops, at least a second.

    Returns:
        For drums and for the mean of the stems: both contrasts of every group, and where both groups are there the
        interaction `attention - convolution` of both contrasts.

    Raises:
        DemixError: for a run without scores on one of the songs, or groups of unequal numbers of seeds.
    """
    if not songs:
        raise DemixError("loops: expected loop songs, received none; make them with `demix data loops`")
    unit: Unit = "songs" if len({song.song for song in songs}) >= ENOUGH_SONGS else "bases"
    table = middle_sdr(rows, loop_seconds=loop_seconds)
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


def check_middle(settings: Loops) -> None:
    """Raise `DemixError` for loops in the middle one of which no whole second fits, so that nothing could be scored."""
    start = settings.middle * settings.loop_seconds
    if ceil(start) + 1 > start + settings.loop_seconds:
        raise DemixError(
            f"loops: expected loops that a whole second fits into, received {settings.loop_seconds} s; make them longer"
        )


def middle_sdr(rows: Iterable[SecondRow], *, loop_seconds: float) -> dict[tuple[str, str, str], float]:
    """Compute the SDR over the middle loop of every song.

    Returns:
        `{(system, track, stem): dB}` over the whole seconds inside the loop; NaN where the true stem is silent in them
        (below `SILENCE_DB`).

    Raises:
        DemixError: when no whole second fits into a loop.
    """
    songs: dict[tuple[str, str, str], dict[int, SecondRow]] = defaultdict(dict)
    for row in rows:
        songs[row.system, row.track, row.stem][row.second] = row
    table = {}
    for key, of_song in songs.items():
        length = sum(row.samples for row in of_song.values()) / SAMPLE_RATE
        start = int(length / loop_seconds + 1e-6) // 2 * loop_seconds
        inside = [row for second, row in of_song.items() if start <= second and second + 1 <= start + loop_seconds]
        if not inside:
            raise DemixError(
                f"loops: expected loops that a whole second fits into, received {loop_seconds} s; make them longer"
            )
        reference = sum(row.reference_energy for row in inside)
        error = sum(row.error_energy for row in inside)
        audible = reference > 10 ** (SILENCE_DB / 10) * CHANNELS * SAMPLE_RATE * len(inside)
        table[key] = 10 * log10((reference + SDR_EPSILON) / (error + SDR_EPSILON)) if audible else float("nan")
    return table


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
    found = interval_of(values)
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
