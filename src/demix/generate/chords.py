"""Comping, arpeggios, riffs and pads: patterns over voiced chords.

Letters of chords: `X` loud, `x` ordinary, `o` soft, `m` muted or choked, `l` the lowest tone alone. Of arpeggios:
figures count the voicing's tones from 0, beyond its top an octave up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from demix.generate.events import Bar, Event, chance, read_steps
from demix.generate.harmony import Chord
from demix.generate.voicing import voice

RHYTHMS: dict[str, tuple[str, ...]] = {
    "pad": ("X---------------",),
    "halves": ("X-------x-------", "X-----x-x-------", "X-----------x---"),
    "quarters": ("X---x---X---x---", "X-..x-..X-..x-..", "X---X---X---X---"),
    "eighths": ("X-x-x-x-X-x-x-x-", "XxxxXxxx", "X-o-x-o-X-o-x-o-"),
    "strum": (
        "X---x-x-..x-x-x-",
        "X---x-x---x-x-x-",
        "X-..x-xox-x-x-xo",
        "X-x-X-xox-x-X-xo",
        "X-----x-..x-x---",
        "X---X-ox-oX-X-xo",
    ),
    "sixteenths": ("X-xoX-xoX-xoX-xo", "XoxoXoxoXoxoXoxo", "XxxxXxxxXxxxXxxx", "Xoxxoxxoxxoxxoxo"),
    "push": (
        "X-----X---------",
        "X--x--X-..x-x---",
        "X-..x-.x-.x-....",
        "..x-..x-..x-..x-",
        "X--X--X---------",
        "X-----X-----X-X-",
    ),
    "stabs": (
        "....X.......X...",
        "X.......X.......",
        "X.............x.",
        "......X.......x.",
        "X..X............",
        "..........X..X..",
    ),
    "skank": ("..x...x...x...x.", "....X.......X...", "..xx..x...xx..x.", "....X..o....X..o"),
    "scratch": (
        "XmmxmmXmmmxmmXmm",
        "m.Xmm.xm.mXmm.xm",
        "X.mmx.mXm.xmm.xm",
        "..m.X.m...m.X.mx",
        "mmXmmmXmmXmmmxmm",
        "Xm..mXm..m.Xm.x.",
    ),
    "chug": (
        "X-mmX-mmX-mmX-mm",
        "lllllllllllllXX-",
        "l.l.l.X-l.l.X-X-",
        "X-llX-llX-llXlll",
        "l-l-l-l-X---X---",
        "lllXlllXlllXlXl.",
    ),
    "tremolo": ("xxxxxxxxxxxxxxxx",),
    "drive": ("X-X-X-X-X-X-X-X-", "l-l-l-l-l-l-l-l-", "l-l-X-l-l-X-l-l-", "X---..X-X---X---", "X-X-X---X-X-X---"),
    "boom chick": ("l---x---l---x---", "l---x-o-l---x-o-", "l-..xo..l-..xo.."),
    "shuffle": ("X-x-X-x-X-x-X-x-", "..x-..x-..x-..x-", "l-o-X-o-l-o-X-o-", "X..x-.X..x-."),
    "charleston": (
        "X-....X-........",
        "..X-........X-..",
        "......X-....X-..|X-........X-....",
        "....X-....x-..x-",
        "X-....x-........|......X-....X-..",
    ),
    "house": ("X..X..X...X..X..", "..X...X...X...X.", "X--.X--.X--.X-..", ".X..X..X..X..X..", "X..X..X..X..X.X."),
    "montuno": ("X.xx.xx.xx.xx.x.", "x-x-.xx-.xx-.xx-"),
    "triplets": ("Xxxxxxxxxxxx", "XooXooXooXoo"),
    "broken": ("0-2-1-2-3-2-1-2-", "0-1-2-1-0-1-2-1-", "0-2-4-2-3-2-4-2-"),
    "picking": ("0-2-3-2-1-2-3-2-", "0-324-230-324-23", "0-3-2-4-1-3-2-4-", "0---2-3-4-3-2---"),
    "sequence": (
        "0123012301230123",
        "0210321043210210",
        "0.1.2.3.4.3.2.1.",
        "03.14.03.25.03.1",
        "0120120120120123",
        "4210421042104210",
    ),
    "pulse": ("0.0.0.0.0.0.0.0.", "0000000000000000", "0.00.00.0.00.00.", "..00..00..00..03"),
    "alberti": ("0-2-1-2-0-2-1-2-", "0-1-2-0-1-2-"),
}
FIGURES = ("broken", "picking", "sequence", "pulse", "alberti")
LOUDNESS = {"X": 1.0, "x": 0.8, "o": 0.55, "m": 0.45, "l": 0.85}
CHOKED = 0.16  # quarter notes that a muted stroke lasts


class Hand(NamedTuple):
    """How one player plays chords.

    Args:
        patterns: three.
        shape: of `voicing.VOICINGS`.
        low: lowest key.
        high: highest key.
        figures: whether the patterns are arpeggios, with figures for letters.
        ties: whether a chord that stays is held over the bar line.
    """

    patterns: tuple[str, str, str]
    shape: str
    low: int
    high: int
    figures: bool
    ties: bool


def write_chords(
    bars: Sequence[Bar], hand: Hand, themes: Sequence[int], plays: Sequence[bool], rng: np.random.Generator
) -> list[Event]:
    """Write a part that plays the chords.

    Args:
        bars: of the song.
        hand: how it is played.
        themes: for each bar which of the hand's patterns is played.
        plays: for each bar whether the part plays.
        rng: what draws.

    Returns:
        Events in the order of their beats; tones of one stroke have one beat.
    """
    events: list[Event] = []
    drop = max(0.0, rng.uniform(-0.05, 0.05))  # half of all players leave nothing out
    keys: tuple[int, ...] = ()
    chord: Chord | None = None
    for bar, theme, playing in zip(bars, themes, plays, strict=True):
        if not playing:
            chord = None
            continue
        if bar.last:
            keys = voice(bar.chords[0].chord, hand.shape, hand.low, hand.high, keys)
            events += [Event(bar.beat, bar.beats, key, 0.9) for key in keys]
            continue
        if bar.place == 0:
            chord, keys = None, ()  # sections that come again lie where they lay
        for start, length, letter in read_steps(hand.patterns[theme], bar.place, bar.beats):
            sounding = bar.chord_at(start)
            if sounding != chord:
                chord, keys = sounding, voice(sounding, hand.shape, hand.low, hand.high, keys)
            if start and chance(rng, drop):
                continue
            events += _stroke(bar.beat + start, length, letter, keys, hand)
        events = _cut_at_changes(events, bar) if len(bar.chords) > 1 else events
    return tie(events) if hand.ties else events


def _stroke(beat: float, length: float, letter: str, keys: tuple[int, ...], hand: Hand) -> list[Event]:
    if hand.figures:
        number = int(letter)
        key = keys[number % len(keys)] + 12 * (number // len(keys))
        return [Event(beat, length, key if key <= hand.high else key - 12, 0.95 if beat % 1 == 0 else 0.75)]
    played = keys[:1] if letter == "l" else keys
    return [Event(beat, CHOKED if letter == "m" else length, key, LOUDNESS[letter]) for key in played]


def _cut_at_changes(events: list[Event], bar: Bar) -> list[Event]:
    """Strike the new chord where a held one would sound on beyond the change."""
    change = bar.beat + bar.chords[1].start
    held = [number for number in range(max(0, len(events) - 24), len(events)) if _crosses(events[number], change)]
    for number in held:
        events[number] = events[number]._replace(length=change - events[number].beat)
    return events


def _crosses(event: Event, change: float) -> bool:
    return event.beat < change - 1e-9 and event.beat + event.length > change + 1e-9


def tie(events: Sequence[Event]) -> list[Event]:
    """Join notes of one pitch that follow each other without a gap, up to eight quarter notes: a pad holds them."""
    tied: list[Event] = []
    latest: dict[int, int] = {}
    for event in events:
        number = latest.get(event.pitch)
        if number is not None:
            before = tied[number]
            if abs(before.beat + before.length - event.beat) < 1e-6 and before.length + event.length <= 8:
                tied[number] = before._replace(length=before.length + event.length)
                continue
        latest[event.pitch] = len(tied)
        tied.append(event)
    return tied
