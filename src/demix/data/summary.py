"""What a prepared data set holds: songs, minutes, levels, and how much of each stem is silent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from demix.config import SAMPLE_RATE, STEMS
from demix.data.stored import StoredTrack
from demix.data.track import SPLITS


@dataclass(frozen=True)
class SplitSummary:
    """One split, or all of them together.

    Args:
        split: `train`, `valid`, `test` or `all`.
        songs: how many.
        minutes: how long together.
        rms_db: level of each stem over all samples, dBFS, in the order of `STEMS`; -inf for digital silence.
        silent_share: share of each stem's seconds that are silent, 0 to 1; songs count by their length.
    """

    split: str
    songs: int
    minutes: float
    rms_db: tuple[float, ...]
    silent_share: tuple[float, ...]


def summarise(tracks: Sequence[StoredTrack]) -> list[SplitSummary]:
    """Summarise the songs of a store by split.

    Args:
        tracks: what `open_store` returned.

    Returns:
        One summary per split that has songs, then one of `all`.
    """
    groups = [(split, [track for track in tracks if track.split == split]) for split in SPLITS]
    return [_summarise(split, songs) for split, songs in [*groups, ("all", tracks)] if songs]


def _summarise(split: str, songs: Sequence[StoredTrack]) -> SplitSummary:
    samples = sum(song.samples for song in songs)

    def mean(values: Sequence[float]) -> float:
        return sum(value * song.samples for value, song in zip(values, songs, strict=True)) / samples

    powers = [mean([10 ** (song.rms_db[stem] / 10) for song in songs]) for stem in range(len(STEMS))]
    return SplitSummary(
        split=split,
        songs=len(songs),
        minutes=samples / SAMPLE_RATE / 60,
        rms_db=tuple(10 * math.log10(power) if power > 0 else -math.inf for power in powers),
        silent_share=tuple(mean([song.silent_share[stem] for song in songs]) for stem in range(len(STEMS))),
    )
