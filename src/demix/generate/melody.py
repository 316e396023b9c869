"""Melodies: phrases with a rhythm and a contour that come again over other chords, with rests to breathe."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from demix.generate.events import Bar, Event, chance, pick
from demix.generate.harmony import ladder, nearest

ORDERS = ("AABA", "ABAB", "AABB", "ABAC", "AAAB", "ABCB")


class Tone(NamedTuple):
    """A note of a motif: its place in the phrase and its steps up the scale from the note before."""

    start: float
    length: float
    steps: int


class Manner(NamedTuple):
    """How somebody sings or plays a melody.

    Args:
        low: lowest key.
        high: highest key.
        seconds: usual length of the shortest notes.
        rest: share of a phrase that is rest at its end, about.
        leaps: how often steps are wide, 0 to 1.
        bars: length of a phrase.
        pitch_classes: of the scale or of the ladder that is used.
        bends: how often a note is led into by a short one below.
    """

    low: int
    high: int
    seconds: float
    rest: float
    leaps: float
    bars: int
    pitch_classes: tuple[int, ...]
    bends: float


def draw_motif(manner: Manner, beats: int, bpm: float, thirds: bool, rng: np.random.Generator) -> tuple[Tone, ...]:
    """Draw the rhythm and the contour of a phrase.

    Args:
        manner: how it is sung.
        beats: quarter notes in a bar.
        bpm: tempo.
        thirds: short notes are thirds of a beat.
        rng: what draws.
    """
    wanted = manner.seconds * bpm / 60
    units = (1 / 3, 2 / 3, 1.0) if thirds else (0.25, 0.5, 1.0)
    unit = min(units, key=lambda each: abs(np.log(each / wanted)))
    length = manner.bars * beats
    end = length - max(unit, manner.rest * length * rng.uniform(0.7, 1.3))
    at = float(pick(rng, (0.0, 0.0, unit, 2 * unit, 1.0)))
    tones: list[Tone] = []
    run = rng.uniform(0.5, 0.9)  # the share of short notes
    while at < end - 1e-6:
        hold = unit if chance(rng, run) else unit * pick(rng, (2, 2, 3, 4))
        if abs(at % 1) > 1e-6 and hold > 2 * unit:
            hold = unit  # long notes begin on beats, mostly
        if tones and chance(rng, 0.08):
            at += unit  # a rest within
        wide = chance(rng, manner.leaps)
        steps = pick(rng, (-4, -3, 3, 4, 5)) if wide else pick(rng, (-2, -1, -1, 0, 0, 1, 1, 2))
        tones.append(Tone(at, min(hold, max(unit, end - at)), steps))
        at += hold
    last = tones[-1]
    tones[-1] = last._replace(length=max(last.length, min(pick(rng, (1.0, 1.5, 2.0)), length - last.start - unit)))
    return tuple(tones)


def write_melody(
    bars: Sequence[Bar],
    manner: Manner,
    plays: Sequence[bool],
    bpm: float,
    rng: np.random.Generator,
    *,
    thirds: bool = False,
) -> list[Event]:
    """Write a melody: each theme has its motifs, which come again whenever the theme does.

    Args:
        bars: of the song.
        manner: how it is sung or played.
        plays: for each bar whether the part plays; a phrase is left out where it would begin in silence.
        bpm: tempo.
        rng: what draws.
        thirds: short notes are thirds of a beat.

    Returns:
        Events in the order of their beats, one at a time.
    """
    beats = bars[0].beats
    motifs: dict[str, tuple[Tone, ...]] = {}
    orders = {theme: pick(rng, ORDERS) for theme in "abc"}
    starts = {theme: rng.uniform(0.3, 0.7) for theme in "abc"}
    events: list[Event] = []
    number = 0
    while number < len(bars):
        bar = bars[number]
        count = min(manner.bars, bar.bars - bar.place)
        if not plays[number]:
            number += 1
            continue
        solo = bar.name == "solo"
        letter = orders[bar.theme][(bar.place // manner.bars) % 4]
        name = f"solo {bar.place % 8 // 4}{letter}" if solo else bar.theme + letter
        if name not in motifs:
            motifs[name] = draw_motif(manner, beats, bpm, thirds, rng)
        span = bars[number : number + count]
        silent = next((place for place in range(count) if not plays[number + place]), count)
        phrase = [tone for tone in motifs[name] if tone.start < silent * beats - 0.2]
        events += _set_phrase(phrase, span, silent * beats, manner, starts[bar.theme], rng)
        number += count
    return [event for event in events if not bars[-1].last or event.beat < bars[-1].beat] + _close(bars, plays, events)


def _close(bars: Sequence[Bar], plays: Sequence[bool], events: Sequence[Event]) -> list[Event]:
    """A last long note on the tonic chord, near where the melody was."""
    if not plays[-1] or not events:
        return []
    key = nearest(events[-1].pitch, bars[-1].chords[0].chord.root)
    return (
        [Event(bars[-1].beat, bars[-1].beats * 0.8, key, 0.85)] if key <= max(event.pitch for event in events) else []
    )


def _set_phrase(
    tones: Sequence[Tone], span: Sequence[Bar], until: float, manner: Manner, start: float, rng: np.random.Generator
) -> list[Event]:
    """Put a motif on the chords of its bars: steps on the scale, chord tones where it matters."""
    beats = span[0].beats
    centre = manner.low + (manner.high - manner.low) * start
    key = centre
    events: list[Event] = []
    for number, tone in enumerate(tones):
        bar = span[min(len(span) - 1, int(tone.start // beats))]
        chord = bar.chord_at(tone.start % beats)
        rungs = ladder(chord, manner.pitch_classes, manner.low, manner.high)
        at = min(range(len(rungs)), key=lambda each: abs(rungs[each] - key))
        if number:
            away = abs(centre - key) > (manner.high - manner.low) * 0.3 and (centre - key) * tone.steps < 0
            steps = -tone.steps if away and (abs(tone.steps) > 1 or number % 2) else tone.steps  # back to the middle
            at = at + steps if 0 <= at + steps < len(rungs) else at - steps
            at = min(len(rungs) - 1, max(0, at))
        strong = number in (0, len(tones) - 1) or (
            tone.start % 1 < 1e-6 and (tone.length >= 1 or tone.start % 2 < 1e-6)
        )
        if strong and rungs[at] % 12 not in chord.tones:
            near = [each for each in range(max(0, at - 3), min(len(rungs), at + 4)) if rungs[each] % 12 in chord.tones]
            at = min(near, key=lambda each: abs(each - at)) if near else at
        key = rungs[at]
        if chance(rng, 0.03):
            continue
        beat, length = span[0].beat + tone.start, min(tone.length, until - tone.start)
        if at and length >= 0.5 and chance(rng, manner.bends):
            events.append(Event(beat, 0.1, rungs[at - 1], 0.6))
            beat, length = beat + 0.1, length - 0.1
        events.append(Event(beat, length, key, (0.95 if strong else 0.8)))
    return events
