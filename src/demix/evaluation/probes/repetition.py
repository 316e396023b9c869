"""How much a stem repeats: how well each of its bars is found again elsewhere in the song, above what chance gives.

Beats are those of the mixture (librosa's tracker: Ellis 2007, "Beat tracking by dynamic programming"). Each beat is cut
into a few slots, each slot gets a feature vector (log-mel for drums, chroma and mel for what has pitch), and a bar is
the sequence of the slots of four beats, from any beat on: counting in beats makes the score independent of the tempo.
Two bars are as similar as their features correlate once the song's mean is taken off (Foote 1999, "Visualizing music
and audio using self-similarity"). A bar's best match among all bars that do not overlap with it is held against the
best match that it has in the same song with its slots in random order: the same sounds, equally often, but nothing
that returns.

    score = (best match - best match by chance) / (1 - best match by chance), between 0 and 1

What sounds the same all the time (a drone, steady noise) scores 0: nothing *returns* in it. A bar in which the stem is
silent has no score.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE, STEMS
from demix.data.levels import SILENCE_DB
from demix.data.track import Audio, Track
from demix.errors import DemixError

Floats = npt.NDArray[np.float64]

BAR_BEATS = 4
SLOTS = {"drums": 4}  # of a beat: drums move by 16ths; finer slots would cut hits in pieces
SLOTS_OF_OTHERS = 2
HOP = 512  # samples between two frames
MELS, CHROMAS = 40, 12
FLOOR_DB = -80.0  # relative to the loudest cell; below it log-mel shows what nobody hears
WINDOW_SECONDS = 10.0
SHUFFLES = 5
REGULAR_BEAT_SECONDS = 0.5  # where no beats are found
LONGEST_BEAT_SECONDS = 0.8  # what is slower (75 a minute) is half the tempo, an error that trackers make
TIGHTNESS = 400  # of the beats to the tempo; with librosa's 100 they stray in music that is made on a grid
SAME = 0.05  # standard deviations of the features; smaller changes count as none
LEAST_BARS = 2  # that a score needs


class RepetitionRow(NamedTuple):
    """A row of `repetition.csv`.

    Args:
        track: the song's name.
        stem: one of `STEMS`.
        start_seconds: where the window begins.
        seconds: how long it is; the first row of each stem is the whole song.
        score: mean over the bars that begin in the window of how well they are found again anywhere in the song; NaN
            (an empty cell) for fewer than `LEAST_BARS`.
        bars: how many of them sound.
    """

    track: str
    stem: str
    start_seconds: float
    seconds: float
    score: float
    bars: int


def score_repetition(track: Track, *, window_seconds: float = WINDOW_SECONDS, seed: int = 0) -> list[RepetitionRow]:
    """Score how much each stem of a song repeats, in the whole song and window by window.

    Args:
        track: the song.
        window_seconds: length of a window; what is left at the end is one when it has at least half of the length.
        seed: of the random order that stands for chance.

    Returns:
        For each stem the row of the whole song, then those of the windows.

    Raises:
        DemixError: when librosa is not installed, or the song cannot be read.
    """
    stems, mixture = track.load()
    seconds = mixture.shape[-1] / SAMPLE_RATE
    beats = find_beats(mixture)
    rows = []
    for stem, waveform in zip(STEMS, stems, strict=True):
        starts, scores = score_bars(waveform, beats, stem=stem, seed=seed)
        for start, length in [(0.0, seconds), *_windows(seconds, window_seconds)]:
            inside = scores[(starts >= start) & (starts < start + length)]
            score = float(np.mean(inside)) if len(inside) >= LEAST_BARS else float("nan")
            rows.append(RepetitionRow(track.name, stem, start, length, score, len(inside)))
    return rows


def find_beats(mixture: Audio) -> Floats:
    """Find the beats of a song, in seconds; regular ones where there are too few to be found.

    Args:
        mixture: `(channels, samples)`.

    Raises:
        DemixError: when librosa is not installed.
    """
    librosa = _librosa()
    seconds = mixture.shape[-1] / SAMPLE_RATE
    mono = mixture.mean(axis=0)
    beats = np.empty(0)
    if mono.any():
        _, beats = librosa.beat.beat_track(
            y=mono, sr=SAMPLE_RATE, hop_length=HOP, units="time", trim=False, tightness=TIGHTNESS
        )
    if len(beats) <= 2 * BAR_BEATS or beats[-1] - beats[0] < seconds / 2:
        return np.arange(0, seconds, REGULAR_BEAT_SECONDS)
    if np.median(np.diff(beats)) > LONGEST_BEAT_SECONDS:
        beats = np.interp(np.arange(2 * len(beats) - 1) / 2, np.arange(len(beats)), beats)
    return np.asarray(beats, dtype=np.float64)


def score_bars(waveform: Audio, beats: Floats, *, stem: str, seed: int = 0) -> tuple[Floats, Floats]:
    """Score every bar in which a stem sounds; bars begin at every beat.

    Args:
        waveform: of the stem, `(channels, samples)`.
        beats: in seconds, rising.
        stem: decides features and slots.
        seed: of the random order that stands for chance.

    Returns:
        Where the bars begin, in seconds, and their scores from 0 to 1, `(bars,)` each. Both are empty where nothing
        sounds or a song has no two bars side by side.
    """
    slots_per_beat = SLOTS.get(stem, SLOTS_OF_OTHERS)
    nothing = np.empty(0), np.empty(0)
    if len(beats) <= 2 * BAR_BEATS or not waveform.any():
        return nothing
    slots, level_db = _slots(waveform, beats, stem=stem, slots_per_beat=slots_per_beat)  # (beats - 1) * slots rows
    sounding = level_db.reshape(-1, slots_per_beat).max(axis=1) >= SILENCE_DB
    starts = [at for at in range(len(beats) - BAR_BEATS) if sounding[at : at + BAR_BEATS].mean() >= 0.5]
    if len(starts) < LEAST_BARS or starts[-1] - starts[0] < BAR_BEATS:
        return nothing
    heard = np.repeat(sounding, slots_per_beat)
    slots = slots - slots[heard].mean(axis=0)
    bars = _unit(_bars(slots, starts, slots_per_beat))
    apart = np.abs(np.subtract.outer(starts, starts)) >= BAR_BEATS
    best = np.where(apart, bars @ bars.T, -1).max(axis=1)
    rng = np.random.default_rng(seed)
    by_chance = np.zeros(len(starts))
    for _ in range(SHUFFLES):
        shuffled = slots.copy()
        shuffled[heard] = rng.permutation(slots[heard])
        others = _unit(_bars(shuffled, starts, slots_per_beat))
        by_chance += np.where(apart, bars @ others.T, -1).max(axis=1) / SHUFFLES
    usable = apart.any(axis=1)
    above = np.divide(best - by_chance, 1 - by_chance, out=np.zeros_like(best), where=by_chance < 1 - 1e-3)
    return beats[np.array(starts)][usable], np.clip(above[usable], 0, 1)


def _windows(seconds: float, window_seconds: float) -> Iterator[tuple[float, float]]:
    """Yield start and length of windows side by side."""
    start = 0.0
    while seconds - start >= window_seconds / 2:
        yield start, min(window_seconds, seconds - start)
        start += window_seconds


def _slots(waveform: Audio, beats: Floats, *, stem: str, slots_per_beat: int) -> tuple[Floats, Floats]:
    """Return features `(slots, features)` and levels in dBFS `(slots,)` of the parts of all beats but the last."""
    librosa = _librosa()
    mono = waveform.mean(axis=0)
    power = librosa.feature.melspectrogram(y=mono, sr=SAMPLE_RATE, n_fft=2048, hop_length=HOP, n_mels=MELS)
    features = librosa.power_to_db(power, ref=np.max, top_db=-FLOOR_DB)
    features = features / (features.std() + 1e-12)
    if stem != "drums":  # chroma weighs as much as mel
        chroma = librosa.feature.chroma_stft(y=mono, sr=SAMPLE_RATE, n_fft=4096, hop_length=HOP, tuning=0.0)
        frames = min(chroma.shape[1], features.shape[1])
        weight = (MELS / CHROMAS) ** 0.5 / (chroma.std() + 1e-12)
        features = np.vstack([features[:, :frames], weight * chroma[:, :frames]])
    edges = np.interp(np.arange((len(beats) - 1) * slots_per_beat + 1) / slots_per_beat, np.arange(len(beats)), beats)
    frames_of = np.clip(np.round(edges * SAMPLE_RATE / HOP).astype(int), 0, features.shape[1])
    samples_of = np.round(edges * SAMPLE_RATE).astype(int)
    slots = np.stack(
        [features[:, min(a, features.shape[1] - 1) : max(a + 1, b)].mean(axis=1) for a, b in _pairs(frames_of)]
    )
    energy = np.array(
        [np.square(waveform[:, a:b], dtype=np.float64).sum() / max(1, b - a) for a, b in _pairs(samples_of)]
    )
    return slots.astype(np.float64), 10 * np.log10(energy / len(waveform) + 1e-12)


def _pairs(edges: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    return zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


def _bars(slots: Floats, starts: list[int], slots_per_beat: int) -> Floats:
    """Stack the slots of every bar: `(bars, slots * features)`."""
    length = BAR_BEATS * slots_per_beat
    return np.stack([slots[at * slots_per_beat :][:length].reshape(-1) for at in starts])


def _unit(rows: Floats) -> Floats:
    """Scale rows to unit length, those without changes to almost nothing."""
    return rows / np.sqrt(np.square(rows).sum(axis=1, keepdims=True) + rows.shape[1] * SAME**2)


def _librosa() -> Any:
    try:
        import librosa
    except ImportError as error:
        raise DemixError("repetition: expected librosa, which is missing; pip install 'demix-lab[report]'") from error
    return librosa
