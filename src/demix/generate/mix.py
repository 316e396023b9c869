"""From a song on paper to four stems: parts played, coloured, placed, balanced; at last one master for all stems.

The master is a gain that is measured on the mixture and multiplied on every stem, so that the stems still add up to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from demix.config import STEMS
from demix.generate import space
from demix.generate.drum_kits import ELECTRONIC_PROGRAMS, draw_kit
from demix.generate.drum_loops import Loop, lay_loop
from demix.generate.drum_sources import FileKit
from demix.generate.effects import STEP, Wave, apply, compress, compression, drive, level, peaks, sounds
from demix.generate.fonts import Font
from demix.generate.note_bank import NoteBank
from demix.generate.part_player import play_drums, play_part
from demix.generate.score import Part, Song
from demix.generate.timbre_choice import draw_curve, draw_timbre
from demix.generate.timbres import colour

PEAK = 0.97  # of the mixture and of every stem
LOOK_STEPS = 6  # of the limiter, of `effects.STEP` samples: 35 ms before and after a peak
# Sounding level of a stem against the others in dB: mean and spread.
LEVELS_DB = {"vocals": (-5.5, 2.5), "drums": (-4.5, 2.7), "bass": (-6.8, 2.7), "other": (-6.0, 2.7)}
LOUDNESS_DB = (-17.0, 2.8)  # dBFS of the mixture's sounding level: mean and spread
LOUDNESS_RANGE_DB = (-23.0, -10.0)
LOOP_CHANCE = {True: 0.5, False: 0.1}  # that a loop lies under the drums, of a machine and of others


@dataclass(frozen=True)
class Instruments:
    """All that songs are played on.

    Args:
        fonts: General MIDI SoundFonts, at least one.
        drum_fonts: SoundFonts of one kit.
        kits: drum kits of files.
        loops: drum loops.
        bank: where notes are kept.
    """

    fonts: Sequence[Font]
    drum_fonts: Sequence[Font]
    kits: Sequence[FileKit]
    loops: Sequence[Loop]
    bank: NoteBank


@dataclass
class Desk:
    """What one song's mix has for all its stems.

    Args:
        width: of the stereo picture; 0 is one channel, as on old records.
        tilt: an equaliser for all.
        hall: the song's room.
        echo: its echo, in time.
        rng: where chance comes from.
        sources: licences of what was used.
    """

    width: float
    tilt: space.Curve
    hall: Wave
    echo: space.Echo
    rng: np.random.Generator
    sources: set[str] = field(default_factory=set)


def mix(song: Song, vocals: Wave, instruments: Instruments, rng: np.random.Generator) -> tuple[Wave, list[str]]:
    """Play and mix a song.

    Args:
        song: what to play.
        vocals: dry singing `(2, samples)`, perhaps silence.
        instruments: what to play it on.
        rng: where chance comes from.

    Returns:
        The stems `(4, 2, samples)`, in the order of `demix.config.STEMS`, whose sum stays below 1, and the licences of
        the instruments that were used.
    """
    samples = vocals.shape[1]
    desk = _draw_desk(song, rng)
    stems = np.zeros((len(STEMS), 2, samples), np.float32)
    for place, stem in enumerate(STEMS):
        stream = np.random.default_rng(rng.integers(1 << 31, size=4))
        parts = [part for part in song.parts if part.stem == stem]
        desk.rng = stream
        if stem == "vocals":
            wave = _vocals(vocals, desk)
        elif stem == "drums":
            wave = _drums(song, parts, instruments, desk, samples)
        else:
            wave = _tonal(parts, instruments, desk, samples)
        if wave is not None:
            mean, spread = LEVELS_DB[stem]
            target = 10 ** ((mean + np.clip(stream.normal(0, spread), -2.2 * spread, 2.2 * spread)) / 20)
            np.multiply(wave, np.float32(target / max(level(wave), 1e-6)), out=stems[place])
    master(stems, rng)
    return stems, sorted(desk.sources)


def master(stems: Wave, rng: np.random.Generator) -> None:
    """Glue and limit stems `(4, 2, samples)` in place by gains measured on their sum and equal for all."""
    mixture = stems[0] + stems[1]
    mixture += stems[2]
    mixture += stems[3]
    curve = np.ones(-(-stems.shape[2] // STEP))
    if rng.random() < 0.5:
        threshold_db, ratio = rng.uniform(-6, 0), rng.uniform(1.3, 2.5)
        curve = compression(mixture, threshold_db=threshold_db, ratio=ratio, seconds=0.08)
    low, high = LOUDNESS_RANGE_DB
    curve *= 10 ** (np.clip(rng.normal(*LOUDNESS_DB), low, high) / 20) / max(level(mixture), 1e-6)
    loudest = np.maximum.reduce([peaks(mixture), *(peaks(stem) for stem in stems)])
    around = np.maximum(curve, np.maximum(np.append(curve[1:], 0), np.append(0, curve[:-1])))
    needed = np.minimum(1.0, PEAK / np.maximum(loudest * around, 1e-9))
    width = 2 * LOOK_STEPS + 1
    curve *= uniform_filter1d(minimum_filter1d(needed, width + 2, mode="nearest"), width, mode="nearest")
    apply(stems, curve)


def _draw_desk(song: Song, rng: np.random.Generator) -> Desk:
    width = 0.0 if rng.random() < 0.22 else float(rng.uniform(0.3, 1.0))
    tilt = rng.normal(0, 1.2)
    top = float(rng.uniform(6000, 15000)) if rng.random() < 0.3 else 20000.0
    points = (30.0, 1000.0, 4000.0, top, min(22000.0, top * 1.5))
    curve = tuple(
        (hz, float(tilt * np.log2(hz / 1000) * 0.5 + rng.normal(0, 0.7) - (40 if hz > top else 0))) for hz in points
    )
    hall = space.room(
        rng,
        seconds=float(rng.uniform(0.4, 2.2)),
        dark_hz=float(rng.uniform(1800, 7000)),
        before_seconds=float(rng.uniform(0, 0.04)),
    )
    beat = 60 / song.bpm
    seconds = float(rng.choice((0.5, 0.75, 1.0)) * beat) if rng.random() < 0.7 else float(rng.uniform(0.07, 0.16))
    echo = space.Echo(min(seconds, 0.9), float(rng.uniform(0.1, 0.5)), float(10 ** (rng.uniform(-20, -9) / 20)))
    return Desk(width, curve, hall, echo, rng)


def _tonal(parts: Sequence[Part], instruments: Instruments, desk: Desk, samples: int) -> Wave | None:
    """Play the parts of the stems `bass` and `other`; None where there is none."""
    sends = []
    for part in parts:
        timbre = draw_timbre(part.program, part.role, fonts=instruments.fonts, width=desk.width, rng=desk.rng)
        if timbre.patch is None:
            desk.sources.add(timbre.font.licence)
        for take in range(timbre.takes):
            wave = play_part(part.notes, timbre, instruments.bank, samples=samples, take=take)
            wave = colour(wave, timbre, channels=2 if desk.width else 1)
            loud = level(wave)
            if loud < 1e-5:
                continue
            gain = 10 ** (timbre.level_db / 20) / loud / timbre.takes**0.5
            pan = -timbre.pan if take else timbre.pan
            send, echo = 10 ** (timbre.send_db / 20), desk.echo if timbre.echo else None
            sends.append(_send(wave, timbre.curve, desk, gain=gain, pan=pan, send=send, echo=echo))
    return space.convolve(sends, samples=samples) if sends else None


def _send(
    wave: Wave, curve: space.Curve, desk: Desk, *, gain: float, pan: float, send: float, echo: space.Echo | None
) -> tuple[Wave, Wave]:
    """Return a part and its filter; both of one channel where the song has one."""
    whole = space.add_curves(curve, desk.tilt)
    filtered = space.response(whole, pan=pan, hall=desk.hall if send > 0.004 else None, send=send, echo=echo)
    filtered *= np.float32(gain)
    if desk.width == 0:
        return wave.mean(axis=0, keepdims=True) if len(wave) == 2 else wave, filtered[:1]
    return wave, filtered


def _drums(song: Song, parts: Sequence[Part], instruments: Instruments, desk: Desk, samples: int) -> Wave | None:
    if not parts:
        return None
    rng = desk.rng
    kit = draw_kit(
        parts[0].program,
        fonts=instruments.fonts,
        drum_fonts=instruments.drum_fonts,
        files=instruments.kits,
        bank=instruments.bank,
        width=desk.width,
        tilt=desk.tilt,
        rng=rng,
    )
    wave = play_drums(parts[0].notes, kit, samples=samples, dynamics=rng.uniform(0.7, 1.8))
    if desk.width == 0:  # files of two channels differ from side to side
        wave = np.repeat(wave.mean(axis=0, keepdims=True), 2, axis=0)
    desk.sources.update(kit.sources())
    if rng.random() < LOOP_CHANCE[parts[0].program in ELECTRONIC_PROGRAMS]:
        laid = lay_loop(song, instruments.loops, rng, samples=samples)
        if laid is not None:
            loop, used = laid
            if desk.width == 0:
                loop = np.repeat(loop.mean(axis=0, keepdims=True), 2, axis=0)
            wave += loop * np.float32(level(wave) * 10 ** (rng.uniform(-14, -2) / 20) / max(level(loop), 1e-6))
            desk.sources.add(used.licence)
    if rng.random() < 0.6:
        wave = drive(wave, gain_db=rng.uniform(-4, 18), mix=rng.uniform(0.1, 0.6))
    if rng.random() < 0.4:
        wave = compress(wave, threshold_db=-4, ratio=rng.uniform(1.5, 4), seconds=rng.uniform(0.02, 0.12))
    return wave


def _vocals(wave: Wave, desk: Desk) -> Wave | None:
    if not sounds(wave):
        return None
    rng = desk.rng
    wave = wave.mean(axis=0, keepdims=True) if desk.width == 0 or rng.random() < 0.5 else wave.copy()
    wave = compress(wave, threshold_db=rng.uniform(-10, -3), ratio=rng.uniform(2, 5), seconds=0.03)
    if rng.random() < 0.25:
        wave = drive(wave, gain_db=rng.uniform(-6, 14), mix=rng.uniform(0.1, 0.6))
    curve = draw_curve((110, 12000), rng, spread_db=2.0)
    echo = desk.echo if rng.random() < 0.35 else None
    return space.convolve(
        [_send(wave, curve, desk, gain=1.0, pan=0.0, send=10 ** (rng.uniform(-24, -8) / 20), echo=echo)],
        samples=wave.shape[1],
    )
