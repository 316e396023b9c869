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


def perform(
    events: Sequence[Event],
    clock: Clock,
    touch: Touch,
    rng: np.random.Generator,
    *,
    dynamics: Float[np.ndarray, "bars"],
    beats: int,
) -> tuple[Note, ...]:
    """Play events.

    Args:
        events: in beats.
        clock: where beats fall.
        touch: how the player plays.
        rng: what draws the looseness.
        dynamics: factor on velocities, by bar.
        beats: quarter notes in a bar.

    Returns:
        Notes in the order of their starts; of one pitch never two at once.
    """
    if not events:
        return ()
    rows = np.array(sorted(events))  # beat, length, pitch, velocity
    at, lengths, velocities = rows[:, 0], rows[:, 1], rows[:, 3] * touch.loud
    first = np.diff(at, prepend=-1.0) > 1e-4  # of each stroke
    stroke = np.cumsum(first) - 1
    sizes = np.bincount(stroke)
    place = np.arange(len(at)) - np.flatnonzero(first)[stroke]  # within its stroke, from below
    place = np.where(at % 1 > 0.2, sizes[stroke] - 1 - place, place)  # offbeats are strokes up
    shift = rng.normal(0.0, touch.loose, len(sizes)).clip(-2.5 * touch.loose, 2.5 * touch.loose)
    starts = clock.seconds(at)
    lengths = np.maximum((clock.seconds(at + lengths) - starts) * touch.hold, SHORTEST_SECONDS)
    starts = np.maximum(0.0, starts + touch.late + shift[stroke] + place * touch.strum)
    loud = velocities * dynamics[((at + 1e-6) // beats).astype(int)] * (1 + rng.normal(0.0, touch.uneven, len(at)))
    table = np.stack([np.round(starts, 5), np.round(lengths, 5), rows[:, 2], np.clip(np.round(127 * loud), 8, 127)])
    return _one_at_a_time(table[:, np.argsort(starts, kind="stable")], touch.alone)


def _one_at_a_time(table: Float[np.ndarray, "4 notes"], alone: bool) -> tuple[Note, ...]:
    """End each note where the next of its pitch, or of all, begins; what begins at the same moment is one note."""
    kept: list[list[float]] = []
    latest: dict[float, list[float]] = {}
    for row in table.T.tolist():
        voice = 0.0 if alone else row[2]
        before = latest.get(voice)
        if before is not None:
            gap = row[0] - before[0]
            if gap < SHORTEST_SECONDS:
                continue
            before[1] = min(before[1], gap)
        latest[voice] = row
        kept.append(row)
    return tuple(Note(start, length, int(pitch), int(velocity)) for start, length, pitch, velocity in kept)


def between(notes: Sequence[Note], sung: Sequence[Note], gap: float) -> tuple[Note, ...]:
    """Those notes that sound where nobody sings, some seconds away from it: answers to the singer.

    Args:
        notes: in the order of their starts.
        sung: in the order of their starts, one at a time.
        gap: seconds.
    """
    starts = np.array([note.start for note in sung])
    ends = np.array([note.start + note.length for note in sung])
    free = []
    for note in notes:
        number = int(np.searchsorted(starts, note.start - gap))
        before = number == 0 or ends[number - 1] + gap <= note.start
        after = number == len(starts) or starts[number] - gap >= note.start + note.length
        if before and after:
            free.append(note)
    return tuple(free)
