"""Notes put together to the sound of a part: additions of kept notes, nothing else."""

from collections.abc import Sequence

import numpy as np
import soxr

from demix.config import SAMPLE_RATE
from demix.generate.drum_kits import CHOKES, Kit
from demix.generate.note_bank import CLASSES_SECONDS, NoteBank, Wave, nearest_layer
from demix.generate.score import Note
from demix.generate.synth import play_note
from demix.generate.timbres import Timbre

LEAST_SECONDS = 0.04  # a note is held at least so long
CHOKE_SECONDS = 0.03


def play_part(notes: Sequence[Note], timbre: Timbre, bank: NoteBank, *, samples: int, take: int = 0) -> Wave:
    """Play a part.

    Args:
        notes: what to play.
        timbre: on what.
        bank: where the notes' sounds come from.
        samples: length of the part.
        take: of a doubled part; every take plays a little differently.

    Returns:
        `(1, samples)`, or two channels where the instrument is wide and the timbre keeps that.
    """
    rng = np.random.default_rng([timbre.seed, take])
    bend = float(2 ** ((timbre.bend_cents + (rng.normal(0, 5) if take else 0)) / 1200))
    late = rng.normal(0, timbre.loose_seconds, len(notes)) if take else np.zeros(len(notes))
    sounds: dict[tuple[int, int, float], Wave] = {}
    out = np.zeros((1, samples), np.float32)
    fades = _fades(timbre.release_seconds)
    for note, later in zip(notes, late, strict=True):
        held = max(LEAST_SECONDS, note.length) + timbre.ring_seconds
        key = note.pitch - timbre.shift
        need = next((each for each in CLASSES_SECONDS if each >= held), CLASSES_SECONDS[-1])
        layer = nearest_layer(note.velocity)
        known = (key, layer, need)
        if known not in sounds:
            if timbre.patch is None:
                wave = bank.note(timbre.font, timbre.bank, timbre.program, key, velocity=layer, seconds=need)
            else:
                wave = play_note(timbre.patch, key, velocity=layer, seconds=need)
            if not timbre.wide and len(wave) == 2:
                wave = wave.mean(axis=0, keepdims=True)
            sounds[known] = _resample(wave, bend * 2 ** (timbre.shift / 12))
        wave = sounds[known]
        if len(wave) > len(out):
            out = np.repeat(out, 2, axis=0)
        gain = (note.velocity / layer) ** timbre.dynamics * (layer / 100) ** (timbre.dynamics - 2)
        _add(out, wave, round((note.start + later) * SAMPLE_RATE), round(held * SAMPLE_RATE), gain, fades)
    return out


def play_drums(notes: Sequence[Note], kit: Kit, *, samples: int, dynamics: float) -> Wave:
    """Play a drum part `(2, samples)`; a louder hit is louder by `dynamics`, 2 as for SoundFonts."""
    out = np.zeros((2, samples), np.float32)
    fades = _fades(CHOKE_SECONDS)
    silencers = {key: np.array([note.start for note in notes if note.pitch in by]) for key, by in CHOKES.items()}
    for note in notes:
        wave = kit.hit(note.pitch, note.velocity)
        held = wave.shape[1]
        if note.pitch in silencers:
            following = silencers[note.pitch]
            place = np.searchsorted(following, note.start + 0.02)
            if place < len(following):
                held = min(held, round((following[place] - note.start) * SAMPLE_RATE))
        gain = (note.velocity / 100) ** dynamics
        _add(out, wave, round(note.start * SAMPLE_RATE), held, gain, fades)
    return out


def _add(out: Wave, wave: Wave, start: int, held: int, gain: float, fades: Wave) -> None:
    """Add a note: whole while it is held, then faded."""
    start = max(0, start)
    held = min(held, wave.shape[1], out.shape[1] - start)
    if held <= 0:
        return
    out[:, start : start + held] += wave[:, :held] * np.float32(gain)
    tail = min(len(fades), wave.shape[1] - held, out.shape[1] - start - held)
    if tail > 0:
        out[:, start + held : start + held + tail] += wave[:, held : held + tail] * (fades[:tail] * np.float32(gain))


def _fades(seconds: float) -> Wave:
    samples = round(seconds * SAMPLE_RATE)
    return (np.linspace(1, 0, samples, dtype=np.float32)) ** 2


def _resample(wave: Wave, factor: float) -> Wave:
    """Play a wave faster by a factor."""
    if factor == 1:
        return wave
    return soxr.resample(wave.T, SAMPLE_RATE * factor, SAMPLE_RATE, quality="LQ").T
