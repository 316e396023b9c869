"""How parts sound in one song, drawn by what plays: pianos, guitars through amplifiers, basses, synthesizers.

All is drawn for the song: the same General MIDI program is to sound different from song to song.
"""

from collections.abc import Sequence

import numpy as np

from demix.generate.fonts import Font
from demix.generate.patches import draw_patch
from demix.generate.space import Curve
from demix.generate.timbres import Timbre

OCTAVES = (40, 80, 160, 320, 640, 1250, 2500, 5000, 10000, 18000)  # Hz
# By first General MIDI program of a family: seconds of release, of ringing on; edges of its band in Hz; chance that
# another register's samples stand in for its own.
FAMILIES = {
    0: (0.18, 0.0, (70, 9000), 0.4),  # pianos
    8: (0.5, 0.8, (150, 12000), 0.5),  # bells, bars
    16: (0.07, 0.0, (90, 7000), 0.4),  # organs
    24: (0.12, 0.0, (80, 9000), 0.5),  # guitars
    32: (0.07, 0.0, (30, 2500), 0.4),  # basses
    40: (0.25, 0.0, (120, 9000), 0.3),  # strings
    56: (0.1, 0.0, (120, 9000), 0.3),  # brass
    64: (0.1, 0.0, (150, 9000), 0.3),  # reeds, pipes
    80: (0.12, 0.0, (80, 12000), 0.5),  # synthesizers
    88: (0.5, 0.0, (100, 10000), 0.4),  # pads
    104: (0.15, 0.0, (90, 9000), 0.3),  # folk
}
ROLE_LEVELS_DB = {"chords": 0.0, "riff": 1.0, "arpeggio": -2.0, "pad": -3.0, "lead": 2.0, "bass": 0.0}


def draw_timbre(program: int, role: str, *, fonts: Sequence[Font], width: float, rng: np.random.Generator) -> Timbre:
    """Draw how a part sounds.

    Args:
        program: General MIDI program that the composer has in mind.
        role: of the part.
        fonts: to choose from.
        width: of the song; 0 has all in the middle.
        rng: where chance comes from.
    """
    release, ring, edges, stand_in = FAMILIES[max(first for first in FAMILIES if first <= program)]
    common = {
        "font": fonts[int(rng.integers(len(fonts)))],
        "bank": 0,
        "program": program,
        "shift": int(rng.choice((-3, -2, -1, 1, 2, 3))) if rng.random() < stand_in else 0,
        "bend_cents": float(rng.normal(0, 4)) if rng.random() < 0.3 else 0.0,
        "wide": bool(width > 0.5 and rng.random() < 0.35),
        "release_seconds": float(release * rng.uniform(0.6, 1.6)),
        "ring_seconds": float(ring),
        "dynamics": float(rng.uniform(0.6, 1.8)),
        "ratio": float(rng.uniform(1.5, 6)) if rng.random() < 0.6 else 1.0,
        "curve": draw_curve(edges, rng),
        "pan": float(np.clip(rng.normal(0, 0.45), -0.95, 0.95) * width),
        "send_db": float(rng.uniform(-26, -9) + (4 if role in ("pad", "lead") else 0)),
        "echo": bool(rng.random() < (0.3 if role in ("lead", "arpeggio") else 0.06)),
        "level_db": float(ROLE_LEVELS_DB.get(role, 0) + rng.normal(0, 2)),
        "seed": int(rng.integers(1 << 31)),
    }
    if 24 <= program < 32:
        common |= _guitar(program, role, width, rng)
    elif 32 <= program < 40:
        common |= _bass(program in (38, 39), rng)
    elif program in (4, 5, 7, 16, 17, 18):
        common |= _keys(program, rng)
    elif 80 <= program < 104 or program in (38, 39, 50, 51, 62, 63):
        common |= _synthesizer(rng)
    elif rng.random() < 0.15:
        common |= {"chorus": draw_chorus(rng)}
    patch = draw_patch(program, role, rng)
    if patch is not None:
        if role == "bass" and program not in (38, 39):  # a guitar's equaliser would hide the synthesizer
            common |= _bass(True, rng)
        common |= {"patch": patch, "shift": 0, "wide": False}
    return Timbre(**common)  # type: ignore[arg-type]


def draw_curve(edges: tuple[float, float], rng: np.random.Generator, *, spread_db: float = 3.0) -> Curve:
    """Draw an equaliser: gains that wander from octave to octave, and falling edges."""
    low, high = edges[0] * 2 ** rng.uniform(-0.7, 0.7), edges[1] * 2 ** rng.uniform(-1.2, 0.7)
    wander = np.cumsum(rng.normal(0, spread_db * 0.7, len(OCTAVES)))
    wander -= wander.mean()
    steep = rng.uniform(9, 24)
    return tuple(
        (
            float(hertz),
            float(gain - steep * max(0.0, np.log2(low / hertz)) - steep * max(0.0, np.log2(hertz / high))),
        )
        for hertz, gain in zip(OCTAVES, wander, strict=True)
    )


def draw_chorus(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw hertz, seconds and mix of a chorus."""
    return float(rng.uniform(0.15, 1.6)), float(rng.uniform(0.0008, 0.003)), float(rng.uniform(0.25, 0.5))


def _guitar(program: int, role: str, width: float, rng: np.random.Generator) -> dict[str, object]:
    """A guitar: acoustic, or electric through an amplifier and its loudspeaker."""
    drawn: dict[str, object] = {}
    if width > 0.3 and role in ("chords", "riff", "pad") and rng.random() < 0.4:
        drawn |= {"takes": 2, "pan": float(rng.uniform(0.5, 1.0) * width)}
    if program < 26:
        return drawn
    dirty = program in (29, 30)
    if dirty and rng.random() < 0.65:  # clean strings into an amplifier: chords distort together
        drawn["program"] = int(rng.choice((27, 27, 26, 25, 28 if rng.random() < 0.3 else 27)))
        drawn["drive_db"] = float(rng.uniform(14, 30) + (6 if program == 30 else 0))
        drawn["dynamics"] = float(rng.uniform(0.6, 1.2))
    elif dirty:
        drawn["drive_db"] = float(rng.uniform(-6, 10))
    elif rng.random() < 0.6:
        drawn["drive_db"] = float(rng.uniform(-10, 8))
    drawn["bias"] = float(rng.uniform(0, 0.4))
    drawn["tight_hz"] = float(rng.uniform(60, 500)) if dirty else 0.0
    low, high = 90 * 2 ** rng.uniform(-0.4, 0.6), 4200 * 2 ** rng.uniform(-0.5, 0.6)
    wander = np.cumsum(rng.normal(0, 1.8, len(OCTAVES)))
    drawn["curve"] = tuple(
        (float(hz), float(gain - 18 * max(0.0, np.log2(low / hz)) - 22 * max(0.0, np.log2(hz / high))))
        for hz, gain in zip((*OCTAVES[:-2], 6500, 11000), wander - wander.mean() + _bump(rng), strict=True)
    )
    if not dirty:
        if rng.random() < 0.2:
            drawn["tremolo"] = (float(rng.uniform(3, 7.5)), float(rng.uniform(0.3, 0.8)))
        if rng.random() < 0.3:
            drawn["chorus"] = draw_chorus(rng)
    return drawn


def _bump(rng: np.random.Generator) -> np.ndarray:
    """The presence of a guitar loudspeaker, in dB at `OCTAVES`."""
    return np.array([0, 0, 1, 0, -2, 0, 4, 2, -2, -4]) * rng.uniform(0.3, 1.6)


def _bass(synthetic: bool, rng: np.random.Generator) -> dict[str, object]:
    high = (900 if synthetic else 420) * 2 ** rng.uniform(-1.5, 2.2)
    low = 38 * 2 ** rng.uniform(-0.5, 0.8)
    steep = rng.uniform(11, 22)
    scoop = rng.uniform(0, 8)  # dB at 320 Hz, where other instruments want room
    wander = np.cumsum(rng.normal(0, 1.8, len(OCTAVES)))
    curve = tuple(
        (
            float(hz),
            float(gain - 14 * max(0.0, np.log2(low / hz)) - steep * max(0.0, np.log2(hz / high)) - scoop * (hz == 320)),
        )
        for hz, gain in zip(OCTAVES, wander - wander.mean(), strict=True)
    )
    drawn: dict[str, object] = {
        "curve": curve,
        "wide": False,
        "pan": 0.0,
        "send_db": -60.0 if rng.random() < 0.7 else float(rng.uniform(-30, -18)),
        "echo": False,
        "ratio": float(rng.uniform(2, 6)),
        "dynamics": float(rng.uniform(0.5, 1.5)),
    }
    if rng.random() < 0.5:
        drawn["crush"] = (float(rng.uniform(0, 22)), float(rng.uniform(0.1, 0.7)))
    if synthetic and rng.random() < 0.3:
        drawn["chorus"] = draw_chorus(rng)
    return drawn


def _keys(program: int, rng: np.random.Generator) -> dict[str, object]:
    drawn: dict[str, object] = {}
    if rng.random() < 0.5:
        drawn["drive_db"] = float(rng.uniform(-12, 8))
    if program in (4, 5) and rng.random() < 0.4:
        drawn["tremolo"] = (float(rng.uniform(2, 7)), float(rng.uniform(0.2, 0.7)))
    elif rng.random() < 0.5:  # a turning loudspeaker, about
        drawn["chorus"] = (float(rng.choice((0.8, 6.5))), float(rng.uniform(0.0005, 0.0012)), 0.5)
    return drawn


def _synthesizer(rng: np.random.Generator) -> dict[str, object]:
    drawn: dict[str, object] = {}
    if rng.random() < 0.35:
        drawn["chorus"] = draw_chorus(rng)
    if rng.random() < 0.25:
        drawn["drive_db"] = float(rng.uniform(-6, 16))
    if rng.random() < 0.15:
        drawn["tremolo"] = (float(rng.uniform(1, 8)), float(rng.uniform(0.3, 0.9)))
    return drawn
