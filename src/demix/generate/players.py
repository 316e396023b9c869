"""The band of a song: who plays what, in which register, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from demix.generate.bass_lines import LINES, lock_to_kick, write_bass
from demix.generate.chords import FIGURES, RHYTHMS, Hand, write_chords
from demix.generate.drums import draw_groove, kick_beats, write_drums
from demix.generate.events import Bar, Event, chance, pick
from demix.generate.grooves import GROOVES, IN_THREE, Groove
from demix.generate.harmony import PENTATONIC
from demix.generate.instruments import playable
from demix.generate.layers import LAYERS, LEADS
from demix.generate.melody import Manner, write_melody
from demix.generate.perform import Clock, Touch, perform
from demix.generate.score import Part
from demix.generate.styles import Style

VOICES = ((43, 60), (47, 64), (48, 67), (50, 69), (55, 72), (57, 76), (60, 79))  # bass to soprano
DENSE = ("sixteenths", "eighths", "chug", "scratch", "sequence", "strum")
GUITARS = range(24, 32)


@dataclass(frozen=True)
class Frame:
    """What all players of a song share.

    Args:
        style: of the song.
        bars: of the song.
        grooves: of the drums, for the themes `a`, `b` and `c`.
        clock: tempo and swing.
        tonic: pitch class of the key.
        scale: semitones above it.
        mode: name of the scale.
        thirds: beats are divided by three.
        extreme: a key of `compose.EXTREMES`.
    """

    style: Style
    bars: Sequence[Bar]
    grooves: tuple[Groove, Groove, Groove]
    clock: Clock
    tonic: int
    scale: tuple[int, ...]
    mode: str
    thirds: bool
    extreme: str

    @property
    def beats(self) -> int:
        """Quarter notes in a bar."""
        return self.bars[0].beats

    def fits(self, pattern: str, per_second: float) -> bool:
        """Whether a pattern suits the division of beats and is not faster than some notes a second."""
        lines = pattern.split("|")
        struck = [[number for number, letter in enumerate(line) if letter not in ".-"] for line in lines]
        rate = max(len(each) / 4 for each in struck) * self.clock.bpm / 60
        if any(len(line) == 12 for line in lines):
            return self.thirds and rate <= per_second
        swung = self.clock.swing > 0.55 and self.clock.pair == 1.0
        grid = 4 if self.thirds else 2 if swung else 1
        return rate <= per_second and all(
            number * 16 // len(line) % grid == 0 for line, each in zip(lines, struck, strict=True) for number in each
        )

    def choose(self, patterns: Sequence[str], per_second: float, otherwise: str, rng: np.random.Generator) -> str:
        """Draw one of the patterns that fit."""
        return pick(rng, [pattern for pattern in patterns if self.fits(pattern, per_second)] or [otherwise])


class Player(NamedTuple):
    """A member of the band.

    Args:
        name: of the part.
        kind: `drums`, `bass`, `layer`, `lead` or `vocals`.
        layer: key of `layers.LAYERS`, of layers.
        program: General MIDI program; of drums the General MIDI kit.
        lines: patterns of the bass for the three themes, for a riff to share.
    """

    name: str
    kind: str
    layer: str
    program: int
    lines: tuple[str, str, str]


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
    drums = Player("drums", "drums", "", style.kit if chance(rng, 0.7) else pick(rng, (0, 8, 16)), lines)
    bass = Player("bass", "bass", "", pick(rng, style.basses), lines)
    count = 1 if frame.extreme in ("bass heavy", "bass and drums") else pick(rng, style.parts)
    count = 4 if frame.extreme == "dense" else min(count, len(style.layers))
    odds = 1 / (1 + 0.3 * np.arange(len(style.layers)))
    drawn = rng.choice(len(odds), size=min(count, len(odds)), replace=False, p=odds / odds.sum())
    band = [drums, bass]
    for number in drawn:
        name = style.layers[int(number)]
        unique = name if all(player.name != name for player in band) else f"{name} 2"
        band.append(Player(unique, "layer", name, pick(rng, LAYERS[name].programs), lines))
    sung = chance(rng, style.vocals)
    if not sung or chance(rng, 0.6):
        band.append(Player("lead", "lead", "", pick(rng, LEADS[style.lead]), lines))
    if sung:
        band.append(Player("vocals", "vocals", "", 53, lines))
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
    if kinds[0] == first and chance(rng, 0.3):
        drawn[1] = drawn[0]
    return drawn[0], drawn[1], drawn[2]


def play(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Part:
    """Write and perform the part of one player.

    Args:
        player: who.
        frame: the song.
        plays: for each bar whether the part plays.
        rng: what draws.
    """
    write = {"drums": _play_drums, "bass": _play_bass, "layer": _play_layer, "lead": _play_lead, "vocals": _play_vocals}
    events, touch, role = write[player.kind](player, frame, plays, rng)
    shaded = [
        event._replace(
            velocity=event.velocity * (0.72 + 0.28 * frame.bars[int(event.beat / frame.beats + 1e-6)].energy)
        )
        for event in events
    ]
    stem = player.kind if player.kind in ("drums", "bass", "vocals") else "other"
    return Part(player.name, stem, role, player.program, perform(shaded, frame.clock, touch, rng))


Written = tuple[list[Event], Touch, str]


def _play_drums(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    machine = frame.style.machine
    swung = frame.thirds or (frame.clock.swing > 0.58 and frame.clock.pair == 1.0)
    events = write_drums(frame.bars, frame.grooves, plays, rng, machine=machine, swung=swung)
    loose = frame.style.loose * 0.6
    touch = Touch(0.0, loose, 0.02 if machine else rng.uniform(0.05, 0.12), rng.uniform(0.8, 0.95), 1.0)
    return events, touch, "drums"


def _play_bass(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    low, high = playable(player.program)
    lowest = low + int(rng.integers(0, 6)) * chance(rng, 0.5)
    if player.lines[0] in LINES["high"] or chance(rng, 0.07):
        lowest = int(rng.integers(38, 44))  # above where guitars begin
    if player.lines[0] in LINES["808"]:
        lowest = int(rng.integers(24, 30)) if low <= 24 else low
    events = write_bass(frame.bars, player.lines, plays, frame.tonic, lowest, min(high, lowest + 26), rng)
    style = frame.style
    heavy = 1.1 if frame.extreme == "bass heavy" else 1.0
    late = rng.normal(0.0, style.loose * 0.6)
    touch = Touch(
        late,
        style.loose * 0.7,
        0.03 if style.machine else 0.08,
        rng.uniform(0.75, 0.92) * heavy,
        rng.uniform(0.7, 1.0),
        alone=True,
    )
    return events, touch, "bass"


def _play_layer(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    layer, style = LAYERS[player.layer], frame.style
    low, high = playable(player.program)
    touch = Touch(
        rng.normal(0.0, style.loose * 0.6),
        style.loose * 0.8,
        0.02 if style.machine else 0.08,
        rng.uniform(0.65, 0.88),
        layer.hold,
        layer.strum * rng.uniform(0.4, 1.0),
    )
    if layer.role == "riff":
        lines = player.lines
        if not chance(rng, 0.5):  # else what the bass plays
            riff = frame.choose(LINES["riff"], 8.0, "R---R---7---R---", rng)
            lines = (riff, pick(rng, (riff, lines[1])), lines[2])
        lowest = max(low, layer.low) + int(rng.integers(0, 6))
        events = write_bass(frame.bars, lines, plays, frame.tonic, lowest, min(high, lowest + 26), rng)
        if player.program in GUITARS and chance(rng, 0.4):
            events = sorted(
                [*events, *(event._replace(pitch=event.pitch + 7) for event in events if event.length >= 0.25)]
            )
        return events, touch, layer.role
    names = (
        [name for name in layer.rhythms if name in DENSE] or layer.rhythms
        if frame.extreme == "dense"
        else layer.rhythms
    )
    limit = 15.0 if frame.extreme == "dense" or player.layer == "fast guitar" or style.machine else 9.0
    patterns = [pattern for name in names for pattern in RHYTHMS[name]]
    otherwise = "0---1---2---1---" if names[0] in FIGURES else "X-------x-------"
    a = frame.choose(patterns, limit, otherwise, rng)
    b = a if chance(rng, 0.4) else frame.choose(patterns, limit, otherwise, rng)
    c = frame.choose(patterns, limit, otherwise, rng)
    shift = int(rng.integers(-3, 6)) * (layer.low > 40)
    hand = Hand(
        (a, b, c),
        layer.shape,
        max(low, layer.low + shift),
        min(high, layer.high + shift),
        figures=names[0] in FIGURES,
        ties=layer.role == "pad",
    )
    return write_chords(frame.bars, hand, plays, rng), touch, layer.role


def _pitch_classes(frame: Frame, rng: np.random.Generator, pentatonic: float) -> tuple[int, ...]:
    steps = PENTATONIC[frame.mode] if chance(rng, pentatonic) else frame.scale
    return tuple(sorted((frame.tonic + step) % 12 for step in steps))


def _play_lead(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    low, high = playable(player.program)
    bottom = max(low, int(rng.integers(52, 66)))
    bottom = min(bottom, high - 15)
    manner = Manner(
        bottom,
        min(high, bottom + int(rng.integers(15, 22))),
        rng.uniform(0.13, 0.32),
        rng.uniform(0.08, 0.3),
        rng.uniform(0.08, 0.25),
        2 if frame.clock.bpm < 150 else 4,
        _pitch_classes(frame, rng, 0.6),
        rng.uniform(0.0, 0.25),
    )
    events = write_melody(frame.bars, manner, plays, frame.clock.bpm, rng, thirds=frame.thirds or frame.style.triplets)
    loose = frame.style.loose
    touch = Touch(
        rng.normal(0.004, loose * 0.5), loose, 0.08, rng.uniform(0.75, 0.95), rng.uniform(0.8, 1.0), alone=True
    )
    return events, touch, "lead"


def _play_vocals(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    low, high = pick(rng, VOICES)
    bpm = frame.clock.bpm
    manner = Manner(
        low,
        high,
        rng.uniform(*frame.style.syllables),
        rng.uniform(0.15, 0.4),
        rng.uniform(0.03, 0.15),
        1 if bpm < 72 else 2 if bpm < 155 else 4,
        _pitch_classes(frame, rng, 0.45),
        rng.uniform(0.0, 0.12),
    )
    events = write_melody(frame.bars, manner, plays, bpm, rng, thirds=frame.thirds)
    touch = Touch(rng.normal(0.01, 0.008), 0.012, 0.08, rng.uniform(0.75, 0.95), rng.uniform(0.85, 1.0), alone=True)
    return events, touch, "melody"
