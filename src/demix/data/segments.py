"""Seeded batches of training segments from a prepared data set: the songs, and what a batch takes from them.

A batch is a function of (songs, settings, seed, step) and of nothing else. Two nets trained with one seed
therefore see the same batches in the same order, a run that was killed goes on at its step as if nothing had
happened, and several processes can each take a share of one batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from demix import config
from demix.config import STEMS
from demix.data.augment import draw_changes
from demix.data.stored import StoredTrack
from demix.errors import DemixError

LEVEL_DB = -20.0  # dBFS that `augment.level` brings every stem's sounding seconds to
QUIET_DB = -15.0  # under that level, a piece counts as silence
TRIES = 16  # places looked at for one that sounds, for each stem of a remixed segment
STRIDE = 32  # every so manieth sample is enough to tell sound from silence


@dataclass(frozen=True)
class Pool:
    """Songs that segments are drawn from, mapped once.

    Args:
        audio: int16 `(stems, channels, samples)` of each song.
        scale: value of one int16 step of each song.
        level: `(songs, stems)` factor that brings the stem's sounding seconds to `LEVEL_DB`; 0 for a stem that
            never sounds.
        chance: `(stems, songs)` chance of each song to give a stem.
        whole: chance of each song to be taken as it was mixed.
    """

    audio: tuple[npt.NDArray[np.int16], ...]
    scale: tuple[float, ...]
    level: npt.NDArray[np.float64]
    chance: npt.NDArray[np.float64]
    whole: npt.NDArray[np.float64]


def open_pool(tracks: Sequence[StoredTrack], *, segment_samples: int, also: Mapping[str, float] | None = None) -> Pool:
    """Map the songs of one split for drawing.

    A stem is drawn from a data set in proportion to the set's weight, and in the set from a song in proportion to its
    length; sets and songs that do not have the stem are left aside. Songs with a single stem are not taken whole.

    Args:
        tracks: the songs.
        segment_samples: length of a segment.
        also: weight of each further data set beside the first, whose weight is 1.

    Raises:
        DemixError: without songs, or when no song is as long as one segment.
    """
    long_enough = [track for track in tracks if track.samples >= segment_samples]
    if not long_enough:
        longest = max((track.samples for track in tracks), default=0) / config.SAMPLE_RATE
        raise DemixError(
            f"data.segment_seconds: expected a training song of at least {segment_samples / config.SAMPLE_RATE:.2f} s, "
            f"received {len(tracks)} songs, the longest {longest:.2f} s; shorten the segment or add songs"
        )
    level = np.array([_level_factors(track) for track in long_enough])
    sounding = (level > 0).T
    weights = [1.0 if not track.dataset else (also or {})[track.dataset] for track in long_enough]
    draw = partial(_chances, long_enough, np.array(weights))
    return Pool(
        audio=tuple(track.audio()[: len(STEMS)] for track in long_enough),
        scale=tuple(track.scale for track in long_enough),
        level=level,
        chance=np.stack([draw(of_stem) for of_stem in sounding]),
        whole=draw(sounding.sum(axis=0) > 1),
    )


def _chances(
    tracks: Sequence[StoredTrack], weights: npt.NDArray[np.float64], wanted: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the chance of every song where only some are wanted; where none is, any song's silence will do."""
    wanted = wanted if wanted.any() else np.ones(len(tracks), bool)
    lengths = np.array([track.samples for track in tracks], dtype=np.float64) * wanted
    datasets = np.array([track.dataset for track in tracks])
    chance = np.zeros(len(tracks))
    for dataset in dict.fromkeys(datasets[wanted]):
        inside = datasets == dataset
        chance[inside] = weights[inside] * (lengths[inside] / lengths[inside].sum())
    return chance / chance.sum()


@dataclass(frozen=True)
class Draws:
    """What a batch is made of: arrays `(items, stems)`.

    Args:
        song: which song of the pool.
        start: the first sample.
        length: samples taken, which are then played as one segment, faster or slower; 0 for a stem that rests.
        factor: from an int16 step to a sample value.
        swap: whether left and right are exchanged.
    """

    song: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    factor: npt.NDArray[np.float32]
    swap: npt.NDArray[np.bool_]


def draw_batch(
    pool: Pool, *, data: config.Data, settings: config.Augment, seed: int, step: int, items: Sequence[int] | None = None
) -> Draws:
    """Draw one batch, or the `items` of it that are asked for.

    Args:
        pool: the songs.
        data: length and number of segments.
        settings: remixing and augmentation.
        seed: the run's seed.
        step: which batch of the run.
        items: which of the batch's segments, all by default; what one is made of does not depend on the others.
    """
    samples = segment_samples(data)
    numbers = range(data.batch_size) if items is None else items
    rows = [_draw_segment(pool, samples, settings, np.random.default_rng((seed, step, item))) for item in numbers]
    song, start, length, factor, swap = (np.stack(column) for column in zip(*rows, strict=True))
    return Draws(song, start, length, factor.astype(np.float32), swap)


def take(pool: Pool, draws: Draws) -> npt.NDArray[np.int16]:
    """Read what a batch takes from the memory maps: int16, each stem's `(channels, length)` behind the other's."""
    taken = np.empty(config.CHANNELS * int(draws.length.sum()), dtype=np.int16)
    place = 0
    for index, length in np.ndenumerate(draws.length):
        song, start = draws.song[index], draws.start[index]
        piece = pool.audio[song][index[1], :, start : start + length]
        taken[place : place + piece.size] = piece.reshape(-1)
        place += piece.size
    return taken


def segment_samples(data: config.Data) -> int:
    """Length of a segment in samples."""
    return round(data.segment_seconds * config.SAMPLE_RATE)


def _draw_segment(
    pool: Pool, samples: int, settings: config.Augment, rng: np.random.Generator
) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray]:
    """Draw one segment: as it was mixed, or every stem from its own song and moment, and perhaps transposed."""
    count = len(STEMS)
    remix = rng.random() < settings.remix
    song, place = int(rng.choice(len(pool.audio), p=pool.whole)), rng.random()
    songs, places = np.full(count, song), np.full(count, place)
    resting, heights = np.zeros(count, bool), np.zeros(count)
    if remix:
        songs = np.array([rng.choice(len(pool.audio), p=pool.chance[stem]) for stem in range(count)])
        places = rng.random(count)
        resting = rng.random(count) < settings.rest
        spans = [settings.transpose.get(stem, (0, 0)) for stem in STEMS]
        heights = rng.uniform(*np.array(spans, dtype=float).T)
    whole = np.array([pool.audio[song].shape[-1] for song in songs])
    length = np.minimum(np.round(samples * 2 ** (heights / 12)).astype(int), whole)
    start = (places * (whole - length + 1)).astype(int)
    if remix:
        for stem in np.flatnonzero(~resting):
            start[stem] = _find_sound(pool, int(songs[stem]), int(stem), int(start[stem]), int(length[stem]), rng)
    level = pool.level[songs, np.arange(count)] if remix and settings.level else 1.0
    change, swap = draw_changes(count, settings, rng=rng)
    factor = np.array([pool.scale[song] for song in songs]) * level * change
    return songs, start, np.where(resting, 0, length), factor, swap


def _find_sound(pool: Pool, song: int, stem: int, start: int, length: int, rng: np.random.Generator) -> int:
    """Return `start` if the stem sounds from there on, else another place where it does.

    Most songs are silent in most stems for much of their time. How often stems rest is for `augment.rest` to say.
    """
    audio = pool.audio[song][stem]
    least = 10 ** ((LEVEL_DB + QUIET_DB) / 10) / max(pool.level[song, stem] * pool.scale[song], 1e-12) ** 2
    for _ in range(TRIES):
        piece = audio[:, start : start + length : STRIDE].astype(np.float32)
        if np.square(piece).mean() >= least:
            break
        start = int(rng.integers(audio.shape[-1] - length + 1))
    return start


def _level_factors(track: StoredTrack) -> list[float]:
    """Factor for each stem to `LEVEL_DB`, counting only the share of seconds in which it sounds."""
    factors = []
    for level_db, silent in zip(track.rms_db, track.silent_share, strict=True):
        if silent >= 1 or not np.isfinite(level_db):
            factors.append(0.0)
            continue
        sounding_db = level_db - 10 * np.log10(1 - silent)
        factors.append(float(10 ** ((LEVEL_DB - sounding_db) / 20)))
    return factors
