"""The songs of one base of counterfactual loops: hits on a grid beside an excerpt of the track they come from."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from demix.config import SAMPLE_RATE, STEMS
from demix.data.drum_hits import Hit, choose_hits, find_hits
from demix.data.loop_patterns import CONDITIONS, Loops, Pattern, draw_patterns
from demix.data.track import Audio, Track
from demix.errors import DemixError

DRUMS = STEMS.index("drums")
LEVEL_RANGE_DB = (-50.0, -20.0)  # dBFS; a loud stem does not make up for a silent one
FADE_SECONDS = 0.05  # of the accompaniment's ends
PEAK = 0.98  # of the loudest sample of stems and mixture; above it all songs of a base are turned down together


@dataclass(frozen=True)
class Base:
    """What the songs of all conditions share, and what each of them plays.

    Args:
        name: unique in the data set.
        song: the track it was made from.
        start_seconds: where the accompaniment begins in the track.
        gain: factor that everything was multiplied by so as not to clip; 1 unless it was too loud.
        hits: by their numbers in the patterns.
        patterns: `{condition: (repetitions, steps)}`.
        stems: `{condition: (stems, channels, samples)}`.
    """

    name: str
    song: str
    start_seconds: float
    gain: float
    hits: tuple[Hit, ...]
    patterns: dict[str, Pattern]
    stems: dict[str, Audio]


def make_bases(
    tracks: Sequence[Track],
    settings: Loops,
    *,
    skipped: dict[str, str] | None = None,
    on_base: Callable[[str], None] | None = None,
) -> Iterator[Base]:
    """Make the bases one after another, so that one track is in memory at a time.

    Args:
        tracks: taken in turn: with more bases than tracks, each gives several, with other hits and other excerpts.
        settings: as for `write_loops`.
        skipped: gets the tracks that cannot be used and why; without it they are errors.
        on_base: told the name of every base as it is begun.

    Raises:
        DemixError: for a track that cannot be read, is too short, or has too few drums.
    """
    for place, track in enumerate(tracks[: settings.bases]):
        stems = track.stems()
        try:
            candidates = find_hits(stems[DRUMS], samples=settings.hit_samples)
            numbers = range(place, settings.bases, len(tracks))
            starts = choose_starts(stems, samples=settings.samples, count=len(numbers))
            for number, start in zip(numbers, starts, strict=True):
                rng = np.random.default_rng([settings.seed, number])
                words = re.sub(r"[^a-z0-9]+", "-", track.name.lower()).strip("-")[:40]
                name = f"{number:0{len(str(settings.bases - 1))}d}-{words}"
                if on_base:
                    on_base(name)
                hits = choose_hits(stems[DRUMS], candidates, samples=settings.hit_samples, rng=rng)
                yield _assemble(name, track.name, stems, start=start, hits=hits, settings=settings, rng=rng)
        except DemixError as error:
            if skipped is None:
                raise DemixError(f"{track.name}: {error}") from error
            skipped[track.name] = str(error)


def choose_starts(stems: Audio, *, samples: int, count: int) -> list[int]:
    """Choose where accompaniments begin: where vocals, bass and other sound together best, apart from each other.

    Args:
        stems: `(stems, channels, samples)` of the whole track.
        samples: length of an accompaniment.
        count: how many.

    Returns:
        `count` starts in samples, best first, all different while whole seconds last. They lie at least half an
        accompaniment apart while there is room for it, then closer.

    Raises:
        DemixError: when the track is too short.
    """
    length = stems.shape[-1]
    if length < samples:
        raise DemixError(
            f"expected at least {samples / SAMPLE_RATE:.1f} s, received {length / SAMPLE_RATE:.1f} s; "
            "leave the song out or make shorter loop songs"
        )
    seconds = max(1, round(samples / SAMPLE_RATE))
    others = np.delete(stems, DRUMS, axis=0)
    levels = [others[..., at : at + SAMPLE_RATE] for at in range(0, length, SAMPLE_RATE)]
    power = np.array([np.square(second, dtype=np.float64).mean(axis=(1, 2)) for second in levels])
    level_db = np.clip(10 * np.log10(power + 1e-12), *LEVEL_RANGE_DB).sum(axis=1)
    last = (length - samples) // SAMPLE_RATE
    best = sorted(range(last + 1), key=lambda start: -float(level_db[start : start + seconds].mean()))
    chosen: list[int] = []
    apart = seconds / 2
    while len(chosen) < count:
        fitting = [start for start in best if all(abs(start - other) >= apart for other in chosen)]
        if fitting:
            chosen.append(fitting[0])
        elif apart >= 1:
            apart /= 2
        else:  # every whole second is taken
            apart = 0
    return [start * SAMPLE_RATE for start in chosen]


def play(hits: Sequence[Hit], pattern: Pattern, *, loop_samples: int) -> Audio:
    """Put hits on the grid of a pattern `(repetitions, steps)`: `(channels, samples)`."""
    channels, hit_samples = hits[0].waveform.shape
    loops, steps = pattern.shape
    drums = np.zeros((channels, loops, loop_samples), np.float32)
    for step in range(steps):
        start = step * loop_samples // steps
        for number, hit in enumerate(hits):
            drums[:, pattern[:, step] == number, start : start + hit_samples] = hit.waveform[:, None]
    return drums.reshape(channels, -1)


def _assemble(
    name: str,
    song: str,
    stems: Audio,
    *,
    start: int,
    hits: tuple[Hit, ...],
    settings: Loops,
    rng: np.random.Generator,
) -> Base:
    """Mix one base: drums as loud on average as the track's own where they sound, nothing clipped."""
    patterns = draw_patterns(settings, rng)
    drums = {
        condition: play(hits, pattern, loop_samples=settings.loop_samples) for condition, pattern in patterns.items()
    }
    loudness = _sounding_rms(stems[DRUMS]) / max(1e-9, float(np.sqrt(np.square(drums["exact"]).mean())))
    samples = drums["exact"].shape[1]
    fade = np.minimum(1, (np.arange(samples) + 1) / (FADE_SECONDS * SAMPLE_RATE)).astype(np.float32)
    accompaniment = stems[..., start : start + samples] * (fade * fade[::-1])
    songs = {}
    for condition in CONDITIONS:
        songs[condition] = accompaniment.copy()
        songs[condition][DRUMS] = drums[condition] * np.float32(loudness)
    peak = max(max(float(np.abs(each).max()), float(np.abs(each.sum(axis=0)).max())) for each in songs.values())
    gain = min(1.0, PEAK / peak)
    songs = {condition: each * np.float32(gain) for condition, each in songs.items()}
    return Base(name, song, start / SAMPLE_RATE, gain, hits, patterns, songs)


def _sounding_rms(waveform: Audio) -> float:
    """Return the level of a stem over the seconds in which it sounds."""
    whole = waveform[:, : waveform.shape[1] // SAMPLE_RATE * SAMPLE_RATE].reshape(len(waveform), -1, SAMPLE_RATE)
    power = np.square(whole, dtype=np.float64).mean(axis=(0, 2))
    sounding = power[power > 10 ** (LEVEL_RANGE_DB[0] / 10)]
    return float(np.sqrt(sounding.mean() if len(sounding) else power.mean()))
