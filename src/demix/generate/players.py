"""How each member of the band plays: what is written for it, in which register, with what touch."""

from collections.abc import Sequence

import numpy as np

from demix.generate.band import GUITARS, Player
from demix.generate.bass_lines import LINES, write_bass
from demix.generate.chords import FIGURES, RHYTHMS, Hand, write_chords
from demix.generate.drums import write_drums
from demix.generate.events import Event, chance, pick
from demix.generate.frame import Frame
from demix.generate.instruments import playable
from demix.generate.layers import LAYERS
from demix.generate.melody import Manner, write_melody
from demix.generate.perform import Touch, perform
from demix.generate.score import Part

VOICES = ((43, 60), (47, 64), (48, 67), (50, 69), (55, 72), (57, 76), (60, 79))  # bass to soprano
DENSE = ("sixteenths", "eighths", "chug", "scratch", "sequence", "strum")
SOFTEST = 0.72  # velocity where the energy is 0, 1 where it is 1

Written = tuple[list[Event], Touch, str]


def play(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Part:
    """Write and perform the part of one player.

    Args:
        player: who.
        frame: the song.
        plays: for each bar whether the part plays.
        rng: what draws how it is performed; what is played is drawn from the player's own seed.
    """
    write = {"drums": _play_drums, "bass": _play_bass, "layer": _play_layer, "lead": _play_lead, "vocals": _play_vocals}
    events, touch, role = write[player.kind](player, frame, plays, np.random.default_rng(player.seed))
    dynamics = np.array([SOFTEST + (1 - SOFTEST) * bar.energy for bar in frame.bars])
    stem = player.kind if player.kind in ("drums", "bass", "vocals") else "other"
    notes = perform(events, frame.clock, touch, rng, dynamics=dynamics, beats=frame.beats)
    return Part(player.name, stem, role, player.program, notes)


def _play_drums(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    machine = frame.style.machine
    swung = frame.thirds or (frame.clock.swing > 0.58 and frame.clock.pair == 1.0)
    events = write_drums(frame.bars, frame.grooves, frame.draw_themes(rng), plays, rng, machine=machine, swung=swung)
    uneven = 0.02 if machine else rng.uniform(0.05, 0.12)
    return events, Touch(0.0, frame.style.loose * 0.6, uneven, rng.uniform(0.8, 0.95), 1.0), "drums"


def _play_bass(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    low, high = playable(player.program)
    lowest = low + (int(rng.integers(0, 6)) if chance(rng, 0.5) else 0)
    if player.lines[0] in LINES["high"] or chance(rng, 0.07):
        lowest = int(rng.integers(38, 44))  # above where guitars begin
    elif player.lines[0] in LINES["808"]:
        lowest = max(low, int(rng.integers(24, 30)))
    themes = frame.draw_themes(rng)
    events = write_bass(frame.bars, player.lines, themes, plays, frame.tonic, lowest, min(high, lowest + 26), rng)
    style = frame.style
    loud = rng.uniform(0.75, 0.92) * (1.1 if frame.extreme == "bass heavy" else 1.0)
    uneven = 0.03 if style.machine else 0.08
    late = rng.normal(0.0, style.loose * 0.6)
    return events, Touch(late, style.loose * 0.7, uneven, loud, rng.uniform(0.7, 1.0), alone=True), "bass"


def _play_layer(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    layer, style = LAYERS[player.layer], frame.style
    late, loud, strum = rng.normal(0.0, style.loose * 0.6), rng.uniform(0.65, 0.88), layer.strum * rng.uniform(0.4, 1.0)
    touch = Touch(late, style.loose * 0.8, 0.02 if style.machine else 0.08, loud, layer.hold, strum)
    if layer.role == "riff":
        return _write_riff(player, frame, plays, rng), touch, layer.role
    low, high = playable(player.program)
    dense = [name for name in layer.rhythms if name in DENSE] if frame.extreme == "dense" else []
    names = dense or list(layer.rhythms)
    fast = frame.extreme == "dense" or player.layer == "fast guitar" or style.machine
    figures = names[0] in FIGURES
    patterns = [pattern for name in names for pattern in RHYTHMS[name]]
    otherwise = "0---1---2---1---" if figures else "X-------x-------"
    verse, chorus, bridge = (frame.choose(patterns, 15.0 if fast else 9.0, otherwise, rng) for _ in range(3))
    chorus = verse if chance(rng, 0.4) else chorus
    shift = int(rng.integers(-3, 6)) if layer.low > 40 else 0
    bottom, top = max(low, layer.low + shift), min(high, layer.high + shift)
    hand = Hand((verse, chorus, bridge), layer.shape, bottom, top, figures=figures, ties=layer.role == "pad")
    return write_chords(frame.bars, hand, frame.draw_themes(rng), plays, rng), touch, layer.role


def _write_riff(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> list[Event]:
    """A line as a bass plays it, an octave or more above: the bass's own or another, on guitars often in fifths."""
    layer = LAYERS[player.layer]
    low, high = playable(player.program)
    lines = player.lines
    if not chance(rng, 0.5):
        riff = frame.choose(LINES["riff"], 8.0, "R---R---7---R---", rng)
        lines = (riff, pick(rng, (riff, lines[1])), lines[2])
    lowest = max(low, layer.low) + int(rng.integers(0, 6))
    fifths = player.program in GUITARS and chance(rng, 0.4)
    themes = frame.draw_themes(rng)
    events = write_bass(frame.bars, lines, themes, plays, frame.tonic, lowest, min(high, lowest + 26), rng)
    if fifths:
        events += [event._replace(pitch=event.pitch + 7) for event in events if event.length >= 0.25]
    return events


def _play_lead(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    low, high = playable(player.program)
    bottom = min(max(low, int(rng.integers(52, 66))), high - 15)
    manner = Manner(
        low=bottom,
        high=min(high, bottom + int(rng.integers(15, 22))),
        seconds=rng.uniform(0.12, 0.3),
        rest=rng.uniform(0.06, 0.28),
        leaps=rng.uniform(0.08, 0.25),
        bars=2 if frame.clock.bpm < 150 else 4,
        pitch_classes=frame.pitch_classes(rng, 0.6),
        bends=rng.uniform(0.0, 0.25),
    )
    thirds = frame.thirds or frame.style.triplets
    events = write_melody(frame.bars, manner, plays, frame.clock.bpm, rng, thirds=thirds)
    loose = frame.style.loose
    late, loud = rng.normal(0.004, loose * 0.5), rng.uniform(0.75, 0.95)
    return events, Touch(late, loose, 0.08, loud, rng.uniform(0.8, 1.0), alone=True), "lead"


def _play_vocals(player: Player, frame: Frame, plays: Sequence[bool], rng: np.random.Generator) -> Written:
    low, high = pick(rng, VOICES)
    bpm = frame.clock.bpm
    manner = Manner(
        low=low,
        high=high,
        seconds=rng.uniform(*frame.style.syllables),
        rest=rng.uniform(0.1, 0.33),
        leaps=rng.uniform(0.03, 0.15),
        bars=1 if bpm < 72 else 2 if bpm < 155 else 4,
        pitch_classes=frame.pitch_classes(rng, 0.45),
        bends=rng.uniform(0.0, 0.12),
    )
    events = write_melody(frame.bars, manner, plays, bpm, rng, thirds=frame.thirds)
    late, loud = rng.normal(0.01, 0.008), rng.uniform(0.75, 0.95)
    return events, Touch(late, 0.012, 0.08, loud, rng.uniform(0.85, 1.0), alone=True), "melody"
