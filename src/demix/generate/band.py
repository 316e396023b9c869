"""The band of a song: who is in it, on which instrument, with which grooves and bass lines."""

from typing import NamedTuple

import numpy as np

from demix.generate.arrange import MOST
from demix.generate.bass_lines import LINES, lock_to_kick
from demix.generate.drums import draw_groove, kick_beats
from demix.generate.events import chance, pick
from demix.generate.frame import Frame
from demix.generate.grooves import GROOVES, IN_THREE, Groove
from demix.generate.layers import LAYERS, LEADS
from demix.generate.style import Style

GUITARS = range(24, 32)  # General MIDI programs
LEAD_CHANCE = 0.65  # beside a singer
DOUBLE_CHANCE = 0.4  # that a guitar is played twice, as records have it left and right


class Player(NamedTuple):
    """A member of the band.

    Args:
        name: of the part.
        kind: `drums`, `bass`, `layer`, `lead` or `vocals`.
        layer: key of `layers.LAYERS`, of layers.
        program: General MIDI program; of drums the General MIDI kit.
        lines: patterns of the bass for the three themes, for a riff to share.
        seed: of what is played; two players with one seed play the same, each in their own time.
    """

    name: str
    kind: str
    layer: str
    program: int
    lines: tuple[str, str, str]
    seed: int


def draw_grooves(style: Style, beats: int, rng: np.random.Generator) -> tuple[tuple[Groove, Groove, Groove], bool]:
    """Draw the drum grooves of the three themes, and say whether they divide beats by three."""
    names = list(IN_THREE) if beats == 3 else list(style.grooves)
    first = pick(rng, names)
    thirds = _in_thirds(first, beats)
    alike = [name for name in names if _in_thirds(name, beats) == thirds]
    second = first if chance(rng, 0.45) else pick(rng, alike)
    third = pick(rng, [*alike, "half time"]) if beats == 4 and not thirds else pick(rng, alike)
    human = not style.machine
    drawn = {name: draw_groove(name, rng, human=human) for name in dict.fromkeys((first, second, third))}
    return (drawn[first], drawn[second], drawn[third]), thirds


def _in_thirds(groove: str, beats: int) -> bool:
    return beats == 4 and any(len(line) == 12 for pattern in GROOVES[groove].values() for line in pattern.split("|"))


def draw_band(frame: Frame, rng: np.random.Generator) -> list[Player]:
    """Draw who plays: drums, bass, one to four layers, mostly a voice, often a lead."""
    style = frame.style
    lines = _draw_bass(frame, rng)

    def join(name: str, kind: str, program: int, layer: str = "") -> Player:
        return Player(name, kind, layer, program, lines, int(rng.integers(2**31)))

    count = 1 if frame.extreme in ("bass heavy", "bass and drums") else pick(rng, style.parts)
    count = min(MOST if frame.extreme == "dense" else count, len(style.layers))
    odds = 1 / (1 + 0.3 * np.arange(len(style.layers)))
    band = [
        join("drums", "drums", style.kit if chance(rng, 0.7) else pick(rng, (0, 8, 16))),
        join("bass", "bass", pick(rng, style.basses)),
    ]
    drawn = rng.choice(len(odds), size=count, replace=False, p=odds / odds.sum())
    layers = [
        join(name, "layer", pick(rng, LAYERS[name].programs), name) for name in (style.layers[int(n)] for n in drawn)
    ]
    for player in layers[:2]:
        played = player.program in GUITARS and LAYERS[player.layer].role in ("chords", "riff")
        if played and len(layers) < MOST and frame.extreme != "bass and drums" and chance(rng, DOUBLE_CHANCE):
            program = pick(rng, (player.program, pick(rng, LAYERS[player.layer].programs)))
            layers.append(player._replace(name=f"{player.name} double", program=program))
    band += layers
    sung = chance(rng, style.vocals)
    if not sung or chance(rng, LEAD_CHANCE):
        band.append(join("lead", "lead", pick(rng, LEADS[style.lead])))
    if sung:
        band.append(join("vocals", "vocals", 53))
    return band


def _draw_bass(frame: Frame, rng: np.random.Generator) -> tuple[str, str, str]:
    """Draw the bass patterns of the three themes."""
    limit = 9.0 if frame.style.machine or frame.extreme == "bass heavy" else 7.5
    kinds = ["triplets", "quarters", "whole", "halves"] if frame.thirds else list(frame.style.bass)
    if frame.extreme == "bass heavy" and not frame.thirds:
        kinds = ["eighths", "rolling", "funk", "riff", "octaves"]
    if chance(rng, 0.06) and not frame.thirds:
        kinds = ["high"]
    first = pick(rng, kinds)
    drawn = []
    for theme, kind in enumerate((first, first if chance(rng, 0.5) else pick(rng, kinds), pick(rng, kinds))):
        if kind == "kick":
            kicks = [kick_beats(frame.grooves[theme], place, frame.beats) for place in (0, 1)]
            line = "|".join(lock_to_kick(each, frame.beats, rng) for each in kicks)
            drawn.append(line if frame.fits(line, limit) else "R---R---R---R---")
        else:
            drawn.append(frame.choose(LINES[kind], limit, "R---R---R---R---", rng))
    verse, chorus, bridge = drawn
    return verse, verse if chance(rng, 0.2) else chorus, bridge
