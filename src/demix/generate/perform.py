"""From beats to seconds: the groove of the song, and the looseness and touch of each player."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from demix.generate.events import Event
from demix.generate.score import Note

SHORTEST_SECONDS = 0.03


class Clock(NamedTuple):
    """Where beats fall.

    Args:
        bpm: quarter notes a minute.
        swing: where the offbeat falls within its pair, 0.5 (straight) to 0.67 (triplets).
        pair: quarter notes that a swung pair lasts: 1 swings eighths, 0.5 sixteenths.
        lead: seconds before the first beat.
    """

    bpm: float
    swing: float
    pair: float
    lead: float

    def seconds(self, beats: Float[np.ndarray, "notes"]) -> Float[np.ndarray, "notes"]:
        """The time of beats, which rise with the time whatever the swing."""
        pairs, inside = np.divmod(beats / self.pair + 1e-9, 1.0)
        swung = np.where(inside < 0.5, inside * 2 * self.swing, self.swing + (inside - 0.5) * 2 * (1 - self.swing))
        return self.lead + (pairs + swung) * self.pair * 60 / self.bpm


class Touch(NamedTuple):
    """How a player plays.

    Args:
        late: seconds behind the beat, before it when negative.
        loose: standard deviation of a note's time, in seconds.
        uneven: standard deviation of a note's velocity, 1 is full.
        loud: factor on all velocities.
        hold: share of a note's length that it is held.
        strum: seconds from string to string.
        alone: one note at a time.
    """

    late: float
    loose: float
    uneven: float
    loud: float
    hold: float
    strum: float = 0.0
    alone: bool = False


def perform(events: Sequence[Event], clock: Clock, touch: Touch, rng: np.random.Generator) -> tuple[Note, ...]:
    """Play events: as notes with times, in the order of their starts, of one pitch never two at once."""
    if not events:
        return ()
    ordered = sorted(events)
    beats = np.array([event.beat for event in ordered])
    ends = clock.seconds(beats + [event.length for event in ordered])
    strokes, inverse, sizes = np.unique(np.round(beats, 4), return_inverse=True, return_counts=True)
    place = np.arange(len(beats)) - np.concatenate([[0], np.cumsum(sizes)])[inverse]  # within its stroke, from below
    up = (strokes % 1 > 0.2)[inverse]
    place = np.where(up, sizes[inverse] - 1 - place, place)  # offbeats are strokes up
    shift = rng.normal(0.0, touch.loose, len(strokes)).clip(-2.5 * touch.loose, 2.5 * touch.loose)
    starts = clock.seconds(beats)
    lengths = np.maximum((ends - starts) * touch.hold, SHORTEST_SECONDS)
    starts = np.maximum(0.0, starts + touch.late + shift[inverse] + place * touch.strum)
    loud = np.array([event.velocity for event in ordered]) * touch.loud
    loud = loud * (1 + rng.normal(0.0, touch.uneven, len(beats)))
    velocities = np.clip(np.round(127 * loud), 8, 127).astype(int)
    order = np.argsort(starts, kind="stable")
    notes: list[Note] = []
    latest: dict[int, int] = {}
    for start, length, velocity, number in zip(
        starts[order].tolist(), lengths[order].tolist(), velocities[order].tolist(), order.tolist(), strict=True
    ):
        pitch = ordered[number].pitch
        voice = 0 if touch.alone else pitch
        if voice in latest:
            before = notes[latest[voice]]
            if start - before.start < SHORTEST_SECONDS:
                continue
            if before.start + before.length > start:
                notes[latest[voice]] = Note(before.start, start - before.start, before.pitch, before.velocity)
        latest[voice] = len(notes)
        notes.append(Note(round(start, 5), round(length, 5), pitch, velocity))
    return tuple(notes)
