"""Our own synthesizer, so that basses, leads and pads are not all those of two SoundFonts: subtractive and FM voices.

A voice is a wave of harmonics, sent through a resonant low-pass whose edge moves; the wave is kept as one period for
each of `TABLES` edges, and a note reads from the two tables around where the edge is. Chowning 1973, *The Synthesis of
Complex Audio Spectra by Means of Frequency Modulation*, for the voices that are not subtractive.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE
from demix.generate.effects import Wave

SIZE = 2048  # samples of a period
TABLES = 24  # edges of the filter, from `LOWEST_HZ` up to `HIGHEST_HZ`
LOWEST_HZ, HIGHEST_HZ = 60.0, 18_000.0
TOP_HZ = 20_000.0  # no harmonic lies above
TAIL_SECONDS = 0.7  # as in the note bank: a note can be faded out there
CLICK_SECONDS = 0.002  # shortest attack
LOWEST_SUB_HZ = 30.0  # nobody hears an octave below the lowest notes


@dataclass(frozen=True)
class Patch:
    """A sound of the synthesizer.

    Args:
        wave: `saw`, `square`, `pulse`, `triangle`, `sine` or `fm`.
        width: of the pulse, 0 to 1; of `fm` the modulator's frequency over the carrier's.
        index: of the modulation, of `fm`.
        detune_cents: of the second voice, and of a third one to the other side; 0 is one voice.
        sub: level of a sine one octave lower; of notes below 60 Hz, at their own pitch.
        edge: of the filter over the note's frequency, when the note has settled.
        sweep: octaves by which the edge starts higher.
        sweep_seconds: in which it comes down by a factor of e.
        resonance: of the filter; 0.7 has no bump.
        attack_seconds: of the level.
        decay_seconds: in which the level falls by a factor of e towards `sustain`.
        sustain: level that a held note keeps, 0 to 1.
        drop: semitones by which a note starts too high, as electronic kicks and their basses do.
        drop_seconds: in which that is over, by a factor of e.
    """

    wave: str
    width: float = 0.5
    index: float = 0.0
    detune_cents: float = 0.0
    sub: float = 0.0
    edge: float = 8.0
    sweep: float = 0.0
    sweep_seconds: float = 0.2
    resonance: float = 0.7
    attack_seconds: float = 0.005
    decay_seconds: float = 1.0
    sustain: float = 1.0
    drop: float = 0.0
    drop_seconds: float = 0.03


def play_note(patch: Patch, key: int, *, velocity: int, seconds: float) -> Wave:
    """Play a note that is held for `seconds` and goes on a little, so that it can be faded out.

    Args:
        patch: the sound.
        key: MIDI key.
        velocity: 1 to 127; louder notes are brighter.
        seconds: how long it is held.

    Returns:
        `(1, samples)`, its level that of SoundFonts, which goes with the square of the velocity.
    """
    samples = round((seconds + TAIL_SECONDS) * SAMPLE_RATE)
    times = np.arange(samples, dtype=np.float32) / np.float32(SAMPLE_RATE)
    hertz = 440 * 2 ** ((key - 69) / 12)
    # Where the voices begin decides what of a low note they cancel, for seconds: another key of each patch.
    rng = np.random.default_rng((key, round(1000 * patch.detune_cents)))
    cycles = _cycles(patch, hertz, samples)
    tables = _tables(patch, hertz)
    edge = hertz * patch.edge * 2 ** ((velocity - 90) / 60)
    octaves = np.log2(edge / LOWEST_HZ) + patch.sweep * np.exp(-times / np.float32(patch.sweep_seconds))
    at = np.clip(octaves * ((TABLES - 1) / np.log2(HIGHEST_HZ / LOWEST_HZ)), 0, TABLES - 1.001).astype(np.float32)
    out = np.zeros(samples, np.float32)
    voices = (0.0,) if not patch.detune_cents else (-patch.detune_cents, 0.0, patch.detune_cents)
    for cents in voices:
        phase = cycles * 2 ** (cents / 1200) + (rng.random() if len(voices) > 1 else 0.0)
        out += _read(tables, phase, at)
    out /= np.float32(len(voices) ** 0.5)
    if patch.sub:
        octave = 1 if hertz >= 2 * LOWEST_SUB_HZ else 2
        out += np.float32(patch.sub) * np.sin(octave * np.pi * cycles).astype(np.float32)
    level = patch.sustain + (1 - patch.sustain) * np.exp(-times / np.float32(patch.decay_seconds))
    level *= np.minimum(1, times / np.float32(max(CLICK_SECONDS, patch.attack_seconds)))
    return (out * level.astype(np.float32) * np.float32(0.3 * (velocity / 100) ** 2))[None]


def _cycles(patch: Patch, hertz: float, samples: int) -> npt.NDArray[np.float64]:
    """Periods that have passed `(samples,)`, the drop of the pitch counted; 32 bits would hiss after a few seconds."""
    times = np.arange(samples) / SAMPLE_RATE
    if not patch.drop:
        return times * hertz
    factors = 2 ** (patch.drop / 12 * np.exp(-times / patch.drop_seconds))
    return np.cumsum(factors) * (hertz / SAMPLE_RATE)


def _tables(patch: Patch, hertz: float) -> Wave:
    """One period of the wave for each edge of the filter, `(TABLES, SIZE + 1)`: the last sample is the first again."""
    numbers = np.arange(1, min(SIZE // 2, max(2, int(TOP_HZ / hertz) + 1)))
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, TABLES)[:, None]
    ratio = numbers * hertz / edges
    passed = 1 / np.sqrt((1 - ratio**2) ** 2 + (ratio / patch.resonance) ** 2)  # 12 dB an octave
    spectra = np.zeros((TABLES, SIZE // 2 + 1), np.complex128)
    spectra[:, numbers] = _harmonics(patch, numbers) * passed * np.minimum(1, 1 / ratio**0.7)
    periods = np.fft.irfft(spectra, SIZE) * (SIZE / 2)
    return np.concatenate([periods, periods[:, :1]], axis=1).astype(np.float32)


def _harmonics(patch: Patch, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.complex128]:
    """The wave's harmonics, with a power of about a sine's."""
    odd = numbers % 2
    if patch.wave == "fm":
        phase = 2 * np.pi * np.arange(SIZE) / SIZE
        ratio = max(1, round(patch.width))
        return np.fft.rfft(np.sin(phase + patch.index * np.sin(ratio * phase)))[numbers] / (SIZE / 2)
    levels = {
        "saw": 0.8 / numbers,
        "square": odd / numbers,
        "pulse": 0.9 * np.sin(np.pi * numbers * patch.width) / numbers,
        "triangle": odd * (-1.0) ** (numbers // 2) / numbers**2,
        "sine": (numbers == 1) * 1.0,
    }[patch.wave]
    return -1j * levels


def _read(tables: Wave, phase: npt.NDArray[np.float64], at: Wave) -> Wave:
    """Read from tables at a phase in periods and at a place between tables, both `(samples,)`; straight in between."""
    place = ((phase - np.floor(phase)) * SIZE).astype(np.float32)
    sample = np.minimum(place.astype(np.int32), SIZE - 1)
    between = place - sample
    row = at.astype(np.int32)
    flat, index = tables.ravel(), row * (SIZE + 1) + sample
    lower = flat[index] + between * (flat[index + 1] - flat[index])
    index += SIZE + 1
    upper = flat[index] + between * (flat[index + 1] - flat[index])
    return lower + (at - row) * (upper - lower)
