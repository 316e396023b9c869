"""The drum kit of a song: where each piece comes from, how it is tuned, damped, placed and how its room sounds.

All that is done to a piece is done to its few samples before a song is played, so that it costs nothing for each hit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr

from demix.config import SAMPLE_RATE
from demix.errors import DemixError
from demix.generate import space
from demix.generate.drum_sources import FileKit
from demix.generate.fonts import Font
from demix.generate.machine_kick import LONGEST_SECONDS, MachineKick, draw_machine_kick
from demix.generate.note_bank import NoteBank, Wave

ELECTRONIC_PROGRAMS = (24, 25)  # of General MIDI kits
SOFT_PROGRAMS = range(32, 48)  # jazz and brushes, which files do not have
NEAREST = {  # what stands in for a key, in turn
    35: (36,), 40: (38,), 37: (38,), 39: (38,), 41: (43, 45, 47), 43: (41, 45, 47), 45: (43, 47), 47: (45, 48, 43),
    48: (50, 47), 50: (48, 47), 44: (42,), 46: (42,), 49: (57, 52, 55, 51, 46), 57: (49, 52, 55, 51, 46),
    55: (49, 57, 46), 52: (49, 57, 46), 51: (59, 53, 42), 59: (51, 53, 42), 53: (51, 42), 54: (42,), 56: (53, 37),
    60: (50,), 61: (47,), 62: (63, 50), 63: (50, 47), 64: (47, 43), 69: (42,), 70: (42,), 82: (70, 42), 75: (37,),
    76: (37,), 77: (37,),
}  # fmt: skip
# Level against the kick in dB, room against direct sound, greatest distance from the middle, longest ring in seconds.
PIECES = {
    "kick": (0.0, 0.25, 0.0, 0.7),
    "snare": (-2.0, 1.0, 0.1, 0.9),
    "rim": (-9.0, 0.9, 0.2, 0.5),
    "tom": (-4.0, 0.9, 0.7, 1.2),
    "hat": (-17.0, 0.5, 0.5, 0.4),
    "open": (-15.0, 0.6, 0.5, 1.2),
    "crash": (-11.0, 0.8, 0.8, 2.4),
    "ride": (-16.0, 0.6, 0.7, 1.8),
    "hand": (-12.0, 0.9, 0.7, 0.8),
}
KINDS = {
    35: "kick", 36: "kick", 38: "snare", 40: "snare", 37: "rim", 39: "snare", 41: "tom", 43: "tom", 45: "tom",
    47: "tom", 48: "tom", 50: "tom", 42: "hat", 44: "hat", 46: "open", 49: "crash", 57: "crash", 55: "crash",
    52: "crash", 51: "ride", 59: "ride", 53: "ride", 54: "hat", 69: "hat", 70: "hat", 82: "hat",
}  # fmt: skip
CHOKES = {46: (42, 44, 46)}  # a key that is silenced by others
LAYERS = 4  # of velocity
MACHINE_KICK_CHANCE = {True: 0.6, False: 0.05}  # in electronic kits and in others

Source = FileKit | tuple[Font, int, int] | MachineKick


@dataclass(frozen=True)
class Piece:
    """What a song does to one kind of piece."""

    kit: Source
    tune: float  # factor of the speed it is played at
    damp_seconds: float
    level_db: float
    pan: float
    filtered: Wave  # impulse response `(2, taps)`


@dataclass
class Kit:
    """A song's kit.

    Args:
        pieces: by kind.
        choice: which of several files a machine takes, from 0 to 1.
        bank: of SoundFont notes.
    """

    pieces: dict[str, Piece]
    choice: float
    bank: NoteBank
    _hits: dict[tuple[int, int], Wave] = field(default_factory=dict)

    def hit(self, key: int, velocity: int) -> Wave:
        """Return how a key sounds, `(2, samples)`, before its gain; one of `LAYERS` by velocity."""
        layer = min(LAYERS - 1, velocity * LAYERS // 128)
        if (key, layer) not in self._hits:
            self._hits[key, layer] = self._make(key, layer)
        return self._hits[key, layer]

    def sources(self) -> list[str]:
        """Return the licences of all that is used."""
        kits = (piece.kit for piece in self.pieces.values())
        return sorted(
            {
                kit.licence if isinstance(kit, FileKit) else kit[0].licence
                for kit in kits
                if not isinstance(kit, MachineKick)
            }
        )

    def _make(self, key: int, layer: int) -> Wave:
        kind = KINDS.get(key, "hand")
        piece = self.pieces[kind]
        ring = LONGEST_SECONDS if isinstance(piece.kit, MachineKick) else PIECES[kind][3]
        raw = self._raw(piece.kit, key, layer, ring)
        if not raw.any():
            return np.zeros((2, 1), np.float32)
        raw = soxr.resample(raw.T, SAMPLE_RATE * piece.tune, SAMPLE_RATE, quality="MQ").T
        raw = raw[:, : round(min(ring, piece.damp_seconds * 5) * SAMPLE_RATE)]
        times = np.arange(raw.shape[1]) / SAMPLE_RATE
        raw = raw * np.exp(-times / piece.damp_seconds).astype(np.float32)
        fade = min(raw.shape[1], 441)
        raw[:, -fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        size = SAMPLE_RATE // 20
        loudest = max(
            float(np.square(raw[:, at : at + size]).sum()) / len(raw) for at in range(0, max(1, raw.shape[1]), size)
        )
        gain = 10 ** ((piece.level_db - 9) / 20) / max(1e-6, np.sqrt(loudest / size))
        whole = space.convolve(
            [(raw * np.float32(gain), piece.filtered)], samples=raw.shape[1] + piece.filtered.shape[1]
        )
        loud = np.flatnonzero(np.abs(whole).max(axis=0) > 2e-4)
        return whole[:, : loud[-1] + 1 if len(loud) else 1]

    def _raw(self, kit: Source, key: int, layer: int, ring: float) -> Wave:
        if isinstance(kit, MachineKick):
            return kit.play()
        if isinstance(kit, FileKit):
            for each in (key, *NEAREST.get(key, ())):
                if paths := kit.files.get(each):
                    place = self.choice if kit.electronic else (layer + 0.5) / LAYERS
                    return read_sample(paths[min(len(paths) - 1, int(place * len(paths)))])
            return np.zeros((1, 1), np.float32)
        font, bank, program = kit
        velocity = (30, 70, 100, 120)[layer]
        for each in (key, *NEAREST.get(key, ())):
            wave = self.bank.note(font, bank, program, each, velocity=velocity, seconds=min(ring, 2.5))
            if wave.any():
                return wave
        return np.zeros((1, 1), np.float32)


def draw_kit(
    program: int,
    *,
    fonts: Sequence[Font],
    drum_fonts: Sequence[Font],
    files: Sequence[FileKit],
    bank: NoteBank,
    width: float,
    tilt: space.Curve,
    rng: np.random.Generator,
) -> Kit:
    """Draw a song's kit.

    Args:
        program: General MIDI kit that the composer has in mind: acoustic, electronic, jazz.
        fonts: General MIDI SoundFonts.
        drum_fonts: SoundFonts of one kit.
        files: kits of files.
        bank: of notes.
        width: 0 puts all in the middle.
        tilt: the song's equaliser.
        rng: where chance comes from.
    """
    electronic = program in ELECTRONIC_PROGRAMS
    fitting: list[Source] = [(font, 128, program) for font in fonts]
    if program not in SOFT_PROGRAMS:
        fitting += [kit for kit in files if kit.electronic == electronic] * (1 if electronic else 2)
    if not electronic:
        fitting += [(font, 0, 0) for font in drum_fonts] * (1 if program in SOFT_PROGRAMS else 3)
        if program not in SOFT_PROGRAMS:
            fitting += [(font, 128, int(rng.choice((0, 1, 2, 8, 9, 10, 11, 16, 17, 18)))) for font in fonts]
    main = fitting[int(rng.integers(len(fitting)))]
    others = 0.35 if electronic else 0.12  # chance of a piece from elsewhere
    wetness = rng.uniform(-26, -8)  # dB, of the room
    hall = space.room(
        rng, seconds=rng.uniform(0.25, 1.1), dark_hz=rng.uniform(2500, 8000), before_seconds=rng.uniform(0, 0.015)
    )
    if width == 0:
        hall = np.repeat(hall[:1], 2, axis=0)
    tight = rng.uniform(0.6, 1.6)
    bright = rng.normal(0, 3)
    pieces = {}
    for kind, (level_db, wet, most, ring) in PIECES.items():
        kit = fitting[int(rng.integers(len(fitting)))] if rng.random() < others else main
        if kind == "kick" and rng.random() < MACHINE_KICK_CHANCE[electronic]:
            kit = draw_machine_kick(rng)
        curve = [
            (hz, rng.normal(0, 2.0) + (bright if hz > 3000 else 0)) for hz in (60, 150, 400, 1000, 2500, 6000, 12000)
        ]
        if kind in ("hat", "ride", "crash", "open"):
            curve = [(40, -30.0), (150, -18.0), (400, -6.0), *curve[3:]]
        if kind == "kick":
            curve = [(30, -3.0), (60, curve[0][1] + 2.0), curve[1], (260, curve[2][1] - 5.0), *curve[3:], (16000, -8.0)]
        pan = rng.uniform(-most, most) * width
        pieces[kind] = Piece(
            kit=kit,
            tune=float(2 ** (rng.normal(0, 1.3 if kind not in ("hat", "ride", "crash", "open") else 0.6) / 12)),
            damp_seconds=np.inf if isinstance(kit, MachineKick) else float(ring * tight * rng.uniform(0.4, 1.6)),
            level_db=level_db + rng.normal(0, 2.2),
            pan=pan,
            filtered=space.response(space.add_curves(curve, tilt), pan=pan, hall=hall, send=wet * 10 ** (wetness / 20)),
        )
    return Kit(pieces, float(rng.random()), bank)


def read_sample(path: Path) -> Wave:
    """Read a drum sample `(channels, samples)` at 44.1 kHz.

    Raises:
        DemixError: when it is not audio.
    """
    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DemixError(f"{path}: expected a drum sample, received {error}; install its package again") from error
    wave = wave[: 4 * rate, :2]
    first = np.flatnonzero(np.abs(wave).max(axis=1) > 0.01 * np.abs(wave).max(initial=0))
    wave = wave[max(0, first[0] - 44) if len(first) else 0 :]
    if rate != SAMPLE_RATE:
        wave = soxr.resample(wave, rate, SAMPLE_RATE, quality="MQ")
    return np.ascontiguousarray(wave.T)
