"""Events in beats, and patterns written as one letter a step: the composer's pencil.

A pattern is a line of steps that share one bar of four quarter notes (16 letters are sixteenths, 12 are triplets of
eighths); `|` parts bars. `.` is a rest and `-` holds the note before; what other letters mean is the reader's affair.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np

from demix.generate.harmony import Chord

Choice = TypeVar("Choice")


class Event(NamedTuple):
    """A note before it is performed.

    Args:
        beat: when, in quarter notes from the song's beginning.
        length: in quarter notes.
        pitch: MIDI key.
        velocity: 0 to 1.
    """

    beat: float
    length: float
    pitch: int
    velocity: float


class Span(NamedTuple):
    """A chord within a bar: from `start` on for `length` quarter notes."""

    start: float
    length: float
    chord: Chord


class Bar(NamedTuple):
    """A bar of the song, with all that a player has to know to play it.

    Args:
        beat: where it begins, in quarter notes from the song's beginning.
        beats: its length in quarter notes.
        section: number of the section that it is in.
        name: of that section.
        theme: which material is played: sections of one theme share it.
        place: number of the bar within its section.
        bars: bars of its section.
        energy: of its section, 0 to 1.
        chords: what sounds.
        after: the chord that the next bar begins with.
        last: whether it is the song's last.
    """

    beat: float
    beats: int
    section: int
    name: str
    theme: str
    place: int
    bars: int
    energy: float
    chords: tuple[Span, ...]
    after: Chord
    last: bool

    @property
    def ends_section(self) -> bool:
        """Whether the next bar is another section's."""
        return self.place == self.bars - 1

    def chord_at(self, offset: float) -> Chord:
        """The chord that sounds `offset` quarter notes after the bar's beginning."""
        for span in reversed(self.chords):
            if offset >= span.start - 1e-9:
                return span.chord
        return self.chords[0].chord

    def next_chord(self, offset: float) -> Chord:
        """The chord that follows the one at `offset`."""
        return next((span.chord for span in self.chords if span.start > offset + 1e-9), self.after)


@lru_cache(maxsize=4096)
def read_steps(pattern: str, place: int, beats: int) -> tuple[tuple[float, float, str], ...]:
    """Read one bar of a pattern.

    Args:
        pattern: see above; of a shorter bar than four quarter notes only its beginning is read.
        place: number of the bar; the pattern's bars take turns.
        beats: quarter notes in the bar.

    Returns:
        For each note its start and length in quarter notes and its letter.
    """
    lines = pattern.split("|")
    line = lines[place % len(lines)]
    step = 4 / len(line)
    notes: list[tuple[float, float, str]] = []
    held = False
    for number, letter in enumerate(line[: round(beats / step)]):
        if letter == "-" and held:
            start, length, before = notes[-1]
            notes[-1] = (start, length + step, before)
        elif letter not in ".-":
            notes.append((number * step, step, letter))
        held = letter != "." and bool(notes)
    return tuple(notes)


def pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """Draw one of several; what is named twice is twice as likely."""
    return choices[int(rng.integers(len(choices)))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Draw yes with a probability."""
    return bool(rng.random() < probability)
