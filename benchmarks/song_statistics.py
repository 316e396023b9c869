"""What meters say of a song with four stems: spectra, levels, width, who sounds when and who covers whom."""

from collections.abc import Iterator
from typing import NamedTuple

import librosa
import numpy as np
import numpy.typing as npt
import soxr
from scipy.fft import rfft, rfftfreq

from demix.config import SAMPLE_RATE, STEMS
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

SOUNDING_DB = -35.0  # a stem sounds in a second in which it is at most so far below the mixture's level
N_FFT, FRAMES = 8192, 300  # of long-term spectra: so many frames are looked at, evenly over the song
THIRDS_HZ = 31.5 * 2 ** (np.arange(28) / 3)
LEAST_DB = -60.0  # what is narrower or softer is drawn here
EXCERPTS, EXCERPT_SECONDS = 6, 4  # looked at for who covers whom
ONSET_RATE = 22050


class Value(NamedTuple):
    """One number about a song.

    Args:
        measure: what it is.
        stem: a stem or `mixture`.
        at: Hz of a spectrum's band, number of stems; 0 where there is nothing to tell.
        value: in the measure's unit.
    """

    measure: str
    stem: str
    at: float
    value: float


def measure(stems: Audio) -> Iterator[Value]:
    """Yield all numbers of a song `(stems, channels, samples)`, 44.1 kHz; a stem that never sounds has few.

    - `spectrum`, dB: share of the stem's power in a third of an octave.
    - `level`, dB: power over the seconds in which it sounds, a stem over the mixture, this over full scale.
    - `crest`, dB: largest sample above the level.
    - `width`, dB: power of half the difference of left and right above that of half their sum.
    - `sounds`: share of the seconds in which it sounds; `together`: in which so many stems (`at`) do.
    - `free`: share of its power in points of the STFT in which it is louder than all other stems together.
    - `onsets`: hits of the drums a second while they sound, as `librosa.onset` hears them.
    """
    waves = dict(zip((*STEMS, "mixture"), [*stems, stems.sum(axis=0)], strict=True))
    seconds = stems.shape[2] // SAMPLE_RATE
    power = {
        name: np.square(wave[:, : seconds * SAMPLE_RATE].reshape(2, seconds, SAMPLE_RATE)).mean(
            (0, 2), dtype=np.float64
        )
        for name, wave in waves.items()
    }
    floor = power["mixture"].mean() * 10 ** (SOUNDING_DB / 10)
    sounding = {name: values > floor for name, values in power.items()}
    whole = decibels(power["mixture"][sounding["mixture"]].mean())
    free = dict(zip(STEMS, uncovered(stems), strict=True))
    for name, wave in waves.items():
        if name in STEMS:
            yield Value("sounds", name, 0, float(sounding[name].mean()))
        if sounding[name].sum() < 3:
            continue
        level = decibels(power[name][sounding[name]].mean())
        yield Value("level", name, 0, level - whole if name in STEMS else level)
        yield Value("crest", name, 0, decibels(float(np.abs(wave).max()) ** 2) - level)
        yield Value("width", name, 0, width(wave))
        for hertz, share in zip(THIRDS_HZ, long_term_spectrum(wave), strict=True):
            yield Value("spectrum", name, float(hertz), float(share))
        if name in STEMS:
            yield Value("free", name, 0, float(free[name]))
        if name == "drums":
            yield Value("onsets", name, 0, count_onsets(wave) / float(sounding[name].sum()))
    together = np.sum([sounding[name] for name in STEMS], axis=0)
    for number in range(len(STEMS) + 1):
        yield Value("together", "mixture", number, float((together == number).mean()))


def decibels(power: float) -> float:
    """Return power in dB; silence is -120."""
    return float(10 * np.log10(power + 1e-12))


def width(wave: Audio) -> float:
    """Return the sides over the middle in dB, at least `LEAST_DB`."""
    middle, side = (np.square(wave[0] + sign * wave[1]).sum(dtype=np.float64) for sign in (1, -1))
    return max(LEAST_DB, float(10 * np.log10((side + 1e-9) / (middle + 1e-9))))


def long_term_spectrum(wave: Audio) -> Floats:
    """Return the share of the power in every third of an octave, `(28,)`, dB."""
    starts = np.linspace(0, wave.shape[1] - N_FFT, min(FRAMES, wave.shape[1] // N_FFT)).astype(int)
    frames = np.stack([wave[:, start : start + N_FFT] for start in starts], axis=1) * np.hanning(N_FFT).astype(
        np.float32
    )
    power = np.square(np.abs(rfft(frames, axis=2))).mean(axis=(0, 1), dtype=np.float64)
    hertz = rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    edges = [(centre * 2 ** (-1 / 6), centre * 2 ** (1 / 6)) for centre in THIRDS_HZ]
    bands = np.array([power[(low <= hertz) & (hertz < high)].sum() for low, high in edges])
    return np.maximum(10 * np.log10(bands / bands.sum() + 1e-12), -90)


def uncovered(stems: Audio) -> Floats:
    """Return which share of each stem's power lies where it is louder than all others together, `(stems,)`; 0 to 1."""
    size = min(EXCERPT_SECONDS * SAMPLE_RATE, stems.shape[2])
    mine, total = np.zeros(len(stems)), np.full(len(stems), 1e-12)
    for start in np.linspace(0, stems.shape[2] - size, EXCERPTS + 2).astype(int)[1:-1]:
        piece = stems[:, :, start : start + size]
        power = np.square(np.abs(STFT().forward(piece)))
        others = np.square(np.abs(STFT().forward(piece.sum(axis=0) - piece)))
        mine += np.where(power > others, power, 0).sum(axis=(1, 2, 3), dtype=np.float64)
        total += power.sum(axis=(1, 2, 3), dtype=np.float64)
    return mine / total


def count_onsets(wave: Audio) -> int:
    """Count the onsets in a stem."""
    mono = soxr.resample(wave.mean(axis=0), SAMPLE_RATE, ONSET_RATE)
    return len(librosa.onset.onset_detect(y=mono, sr=ONSET_RATE))
