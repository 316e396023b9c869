"""Seeded batches of training segments from a prepared data set.

A batch is a function of (songs, settings, seed, step) and of nothing else. Two nets trained with one seed
therefore see the same batches in the same order, and a run that was killed goes on at its step as if nothing had
happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from demix import config
from demix.config import STEMS
from demix.data.augment import augment
from demix.data.stored import StoredTrack
from demix.data.track import Audio
from demix.errors import DemixError

LEVEL_DB = -20.0  # dBFS that `augment.level` brings every stem's sounding seconds to


@dataclass(frozen=True)
class Pool:
    """Songs that segments are drawn from, mapped once.

    Args:
        audio: int16 `(stems, channels, samples)` of each song.
        scale: value of one int16 step of each song.
        level: `(songs, stems)` factor that brings the stem's sounding seconds to `LEVEL_DB`; 0 for a stem that
            never sounds.
        chance: chance of each song, in proportion to its length.
    """

    audio: tuple[npt.NDArray[np.int16], ...]
    scale: tuple[float, ...]
    level: npt.NDArray[np.float64]
    chance: npt.NDArray[np.float64]


def open_pool(tracks: Sequence[StoredTrack], *, segment_samples: int) -> Pool:
    """Map the songs of one split for drawing.

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
    lengths = np.array([track.samples for track in long_enough], dtype=np.float64)
    return Pool(
        audio=tuple(track.audio()[: len(STEMS)] for track in long_enough),
        scale=tuple(track.scale for track in long_enough),
        level=np.array([_level_factors(track) for track in long_enough]),
        chance=lengths / lengths.sum(),
    )


def draw_batch(
    pool: Pool, *, data: config.Data, settings: config.Augment, seed: int, step: int
) -> npt.NDArray[np.float32]:
    """Draw one batch.

    Args:
        pool: the songs.
        data: length and number of segments.
        settings: remixing and augmentation.
        seed: the run's seed.
        step: which batch of the run.

    Returns:
        Stems, `(batch, stems, channels, samples)`; the mixture is their sum.
    """
    samples = segment_samples(data)
    return np.stack(
        [
            _draw_segment(pool, samples, settings, np.random.default_rng((seed, step, item)))
            for item in range(data.batch_size)
        ]
    )


def segment_samples(data: config.Data) -> int:
    """Length of a segment in samples."""
    return round(data.segment_seconds * config.SAMPLE_RATE)


def _draw_segment(pool: Pool, samples: int, settings: config.Augment, rng: np.random.Generator) -> Audio:
    """Draw one segment: as it was mixed, or every stem from its own song and moment, and perhaps transposed."""
    count = len(STEMS)
    remix = rng.random() < settings.remix
    song, place = int(rng.choice(len(pool.audio), p=pool.chance)), rng.random()
    songs, places = [song] * count, [place] * count
    resting, heights = np.zeros(count, bool), np.zeros(count)
    if remix:
        songs = [_draw_song(pool, stem, rng) for stem in range(count)]
        places = rng.random(count).tolist()
        resting = rng.random(count) < settings.rest
        spans = [settings.transpose.get(stem, (0, 0)) for stem in STEMS]
        heights = rng.uniform(*np.array(spans, dtype=float).T)
    stems = np.zeros((count, config.CHANNELS, samples), dtype=np.float32)
    for stem in np.flatnonzero(~resting):
        song = songs[stem]
        factor = pool.level[song, stem] if remix and settings.level else 1.0
        whole = pool.audio[song][stem]
        length = min(round(samples * 2 ** (heights[stem] / 12)), whole.shape[-1])
        start = int(places[stem] * (whole.shape[-1] - length + 1))
        stems[stem] = _stretch(whole[:, start : start + length], samples)
        stems[stem] *= pool.scale[song] * factor
    return augment(stems, settings, rng=rng)


def _stretch(waveform: npt.NDArray[np.int16], samples: int) -> npt.NDArray[np.int16] | Audio:
    """Play a waveform faster or slower so that it lasts `samples`, which transposes it.

    Straight lines between samples are coarse above some kHz; for training data that does not matter, and it is quick.
    """
    if waveform.shape[-1] == samples:
        return waveform
    piece = torch.from_numpy(waveform.astype(np.float32))[None]
    return functional.interpolate(piece, size=samples, mode="linear")[0].numpy()


def _draw_song(pool: Pool, stem: int, rng: np.random.Generator) -> int:
    """Choose a song among those that have the stem; where none has it, any song's silence will do."""
    chance = np.where(pool.level[:, stem] > 0, pool.chance, 0)
    chance = chance if chance.sum() > 0 else pool.chance
    return int(rng.choice(len(chance), p=chance / chance.sum()))


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
