"""From a recording of singing to phrases: where they begin and end, how high, when their syllables start.

Singing is cut where it is silent; what goes on for longer than a phrase is cut where it is softest. Pitch is pYIN's
(Mauch and Dixon, 2014), read from a copy at 11 kHz, which holds all that the pitch of a voice needs.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

FRAME = SAMPLE_RATE // 100  # samples; levels are taken every 10 ms
BELOW_LOUDEST_DB = 38.0  # softer than this below a recording's loud frames is silence
LEAST_DBFS = -60.0
GAP_SECONDS = 0.25  # a shorter silence is a stop consonant or a breath
LEAST_SECONDS = 0.2
GREATEST_SECONDS = 8.0
AROUND_SECONDS = (0.02, 0.06)  # kept of what is softer, before and after
PITCH_RATE = 11025
PITCH_HOP = 512
LOWEST_HZ, HIGHEST_HZ = 65.0, 1050.0  # C2 to C6
ONSETS = 32  # the first ones of a phrase are kept

# Of a major and a minor key, how much each degree is heard: Krumhansl and Kessler (1982).
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)

PHRASE = np.dtype(
    [
        ("start", "i8"),  # in the recording, samples
        ("samples", "i8"),
        ("attack", "f4"),  # seconds into the phrase at which the first syllable is there: what is put on the beat
        ("pitch", "f4"),  # median, MIDI keys with fractions; NaN where nothing has a pitch
        ("tuning", "f4"),  # semitones above the nearest keys, -0.5 to 0.5
        ("voiced", "f4"),  # share of the frames that have a pitch
        ("level", "f4"),  # dBFS, of the loud parts
        ("narrow_level", "f4"),  # the same of `narrow`
        ("classes", "f4", (12,)),  # share of each pitch class, C first, of the voiced frames, tuning taken off
        ("onsets", "f4", (ONSETS,)),  # of syllables, seconds into the phrase; NaN where there are fewer
        ("track", "i8", (2,)),  # first frame and number of frames in the pitch tracks of the recording
    ]
)


def cut(waveform: Audio) -> list[tuple[int, int]]:
    """Cut singing into phrases.

    Args:
        waveform: `(channels, samples)`, 44.1 kHz.

    Returns:
        First sample and end of each phrase, in order and without overlap; empty for silence. All that sounds
        for at least 0.2 s is in one of them, and none is longer than 8 s by more than what is kept around it.
    """
    power = frame_power(waveform)
    sounding = is_sounding(power)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], sounding, [False])).astype(np.int8)))
    joined: list[list[int]] = []
    for begin, end in edges.reshape(-1, 2).tolist():
        if joined and begin - joined[-1][1] < GAP_SECONDS * 100:
            joined[-1][1] = end
        else:
            joined.append([begin, end])
    if not joined:
        return []
    smooth = np.convolve(power, np.full(5, 0.2), mode="same")
    pieces = [
        piece for begin, end in joined if end - begin >= LEAST_SECONDS * 100 for piece in _split(smooth, begin, end)
    ]
    before, after = (int(seconds * 100) for seconds in AROUND_SECONDS)
    phrases = []
    for index, (begin, end) in enumerate(pieces):
        floor = pieces[index - 1][1] if index else 0
        ceiling = pieces[index + 1][0] if index + 1 < len(pieces) else len(power)
        begin = max(begin - before, (floor + begin + 1) // 2)  # neighbours share what lies between them
        end = min(end + after, (end + ceiling) // 2)
        phrases.append((begin * FRAME, min(end * FRAME, waveform.shape[1])))
    return phrases


def frame_power(waveform: Audio) -> Floats:
    """Return the mean power of every 10 ms, `(frames,)`; what is left over at the end counts with silence after it."""
    frames = -(-waveform.shape[1] // FRAME)
    padded = np.zeros(frames * FRAME)
    padded[: waveform.shape[1]] = (waveform.astype(np.float64) ** 2).mean(axis=0)
    return padded.reshape(frames, FRAME).mean(axis=1)


def is_sounding(power: Floats) -> npt.NDArray[np.bool_]:
    """Say which frames are no silence: within 38 dB of the loud ones and above -60 dBFS."""
    if not len(power):
        return np.zeros(0, dtype=bool)
    floor = max(np.percentile(power, 99) * 10 ** (-BELOW_LOUDEST_DB / 10), 10 ** (LEAST_DBFS / 10))
    return power > floor


def measure(waveform: Audio, bounds: list[tuple[int, int]]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.float32]]:
    """Measure the phrases of a recording.

    Args:
        waveform: `(channels, samples)`, 44.1 kHz.
        bounds: of `cut`.

    Returns:
        One row of `PHRASE` each, and the pitch tracks one after another: MIDI keys every 512 / 11025 s, NaN where
        there is no pitch.

    Raises:
        DemixError: when librosa is not installed.
    """
    rows = np.zeros(len(bounds), dtype=PHRASE)
    tracks: list[npt.NDArray[np.float32]] = []
    done = 0
    for row, (start, end) in zip(rows, bounds, strict=True):
        phrase = waveform[:, start:end]
        track = pitch_track(phrase)
        tracks.append(track)
        voiced = track[~np.isnan(track)]
        tuning = _tuning(voiced)
        row["start"], row["samples"], row["track"] = start, end - start, (done, len(track))
        row["pitch"] = np.median(voiced) if len(voiced) else np.nan
        row["tuning"], row["voiced"] = tuning, len(voiced) / max(1, len(track))
        row["classes"] = _share(np.bincount(np.rint(voiced - tuning).astype(int) % 12, minlength=12))
        row["level"], row["narrow_level"] = _level(phrase), _level(narrow(phrase))
        row["onsets"], row["attack"] = _onsets(phrase)
        done += len(track)
    return rows, np.concatenate([*tracks, np.zeros(0, dtype=np.float32)])


def pitch_track(waveform: Audio) -> npt.NDArray[np.float32]:
    """Return the pitch of a voice, `(frames,)`: MIDI keys every 512 / 11025 s, NaN where there is none.

    Args:
        waveform: `(channels, samples)`, 44.1 kHz.

    Raises:
        DemixError: when librosa is not installed.
    """
    hertz = _librosa().pyin(
        _slow(waveform),
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        sr=PITCH_RATE,
        frame_length=1024,
        hop_length=PITCH_HOP,
        resolution=0.2,
        n_thresholds=20,
    )[0]
    return (69 + 12 * np.log2(hertz / 440)).astype(np.float32)


def narrow(waveform: Audio) -> Audio:
    """Return a recording as one channel, `(1, samples)`: the middle, or the left where left and right cancel out."""
    middle = waveform.mean(axis=0, keepdims=True)
    return middle if np.square(middle).sum() >= 0.5 * np.square(waveform[:1]).sum() else waveform[:1]


def key_of(classes: npt.NDArray[np.floating]) -> tuple[int, bool]:
    """Return the key that fits a histogram of pitch classes best: its tonic (0 is C) and whether it is minor."""
    heard = classes - classes.mean()
    fits = {
        (tonic, minor): float(np.dot(heard, np.roll(np.array(profile) - np.mean(profile), tonic)) / np.std(profile))
        for minor, profile in ((False, MAJOR), (True, MINOR))
        for tonic in range(12)
    }
    return max(fits, key=fits.__getitem__)


def _split(power: Floats, begin: int, end: int) -> list[tuple[int, int]]:
    """Cut what is too long for a phrase where it is softest, away from its ends."""
    if end - begin <= GREATEST_SECONDS * 100:
        return [(begin, end)]
    margin = int(GREATEST_SECONDS * 100 / 4)
    middle = begin + margin + int(np.argmin(power[begin + margin : end - margin]))
    return [*_split(power, begin, middle), *_split(power, middle, end)]


def _tuning(voiced: npt.NDArray[np.float32]) -> float:
    """Return how far pitches lie above the keys, a mean on the circle of one semitone."""
    return float(np.angle(np.exp(2j * np.pi * voiced).sum()) / (2 * np.pi)) if len(voiced) else 0.0


def _share(counts: npt.NDArray[np.int64]) -> Floats:
    return counts / max(1, counts.sum())


def _level(phrase: Audio) -> float:
    """Return the level in dBFS of what is within 12 dB of the loudest twentieth of a second."""
    power = frame_power(phrase)
    blocks = power[: len(power) // 5 * 5].reshape(-1, 5).mean(axis=1) if len(power) >= 5 else power
    return float(10 * np.log10(max(blocks[blocks >= blocks.max() / 16].mean(), 1e-12)))


def _onsets(phrase: Audio) -> tuple[Floats, float]:
    """Return the starts of syllables in seconds, and when the first is heard: at half of the usual loudness."""
    power = frame_power(phrase)
    found = _librosa().onset.onset_detect(y=_slow(phrase), sr=PITCH_RATE, hop_length=128, units="time")
    onsets = np.full(ONSETS, np.nan)
    onsets[: min(ONSETS, len(found))] = found[:ONSETS]
    loud = power >= np.percentile(power, 90) / 4
    return onsets, float(np.argmax(loud)) / 100


def _slow(waveform: Audio) -> Audio:
    """Return one channel at 11 kHz, `(samples,)`."""
    import soxr

    return np.ascontiguousarray(soxr.resample(narrow(waveform)[0], SAMPLE_RATE, PITCH_RATE))


def _librosa() -> Any:
    try:
        import librosa
    except ImportError as error:
        raise DemixError("librosa: needed to cut singing into phrases, not installed; pip install librosa") from error
    return librosa
