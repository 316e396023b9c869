"""Which keys a chord is played with: guitar shapes, power chords, close and open positions that move little."""

from collections.abc import Callable
from functools import lru_cache

from demix.generate.harmony import Chord

VOICINGS = ("barre", "power", "triad", "close", "open", "two")


def voice(chord: Chord, shape: str, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    """Voice a chord.

    Args:
        chord: what to play.
        shape: one of `VOICINGS`: `barre` six strings from the root up, `power` root, fifth and octave, `triad` three
            high strings, `close` all tones within an octave, `open` root and fifth below, the rest
            above, `two` two tones.
        low: lowest key.
        high: highest key.
        before: the chord before as it was voiced, or nothing: the new one moves as little as it can.

    Returns:
        MIDI keys, rising.
    """
    return SHAPES[shape](chord, low, high, before)


def _from_root(chord: Chord, low: int, high: int, stack: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    root = low + (chord.root - low) % 12
    if before and root + 12 - before[0] < before[0] - root and root + 12 + stack[-1] <= high:
        root += 12  # nearer to where the hand is
    return tuple(root + step for step in stack if root + step <= high)


def _barre(chord: Chord, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    fifth = chord.degree(5)
    third = chord.degree(3) if len(chord.intervals) > 2 else 12
    fourth = chord.degree(7) if len(chord.intervals) > 3 and chord.intervals[3] in (10, 11) else 12
    root = low + (chord.root - low) % 12
    stack = (
        (0, fifth, fourth, 12 + third, 12 + fifth, 24) if root < low + 6 else (0, fifth, fourth, 12 + third, 12 + fifth)
    )
    return _from_root(chord, low, high, tuple(sorted(set(stack))), before)


def _power(chord: Chord, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    return _from_root(chord, low, high, (0, chord.degree(5), 12), before)


def _open(chord: Chord, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    upper = tuple(12 + interval % 12 for interval in chord.intervals[1:])
    return _from_root(chord, low, high, tuple(sorted({0, chord.degree(5), *upper})), before)


def _close(chord: Chord, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    options = _inversions(chord, len(chord.intervals), low, high)
    goal = before or (low + (high - low) // 3,)
    return min(options, key=lambda keys: _distance(keys, goal)) if options else _power(chord, low, high, before)


def _triad(chord: Chord, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    top = chord if len(chord.intervals) < 4 else Chord(chord.root, chord.intervals[1:])  # the bass has the root
    options = _inversions(top, min(3, len(top.intervals)), low, high)
    goal = before or ((low + high) // 2,)
    return min(options, key=lambda keys: _distance(keys, goal)) if options else _power(chord, low, high, before)


def _two(chord: Chord, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    return _triad(chord, low, high, before)[-2:]


def _distance(keys: tuple[int, ...], goal: tuple[int, ...]) -> float:
    return abs(sum(keys) / len(keys) - sum(goal) / len(goal)) + 0.01 * keys[0]


@lru_cache(maxsize=4096)
def _inversions(chord: Chord, size: int, low: int, high: int) -> tuple[tuple[int, ...], ...]:
    """All close positions of a chord within a range."""
    tones = sorted((chord.root + interval) % 12 for interval in chord.intervals[:size])
    found = []
    for lowest in range(low, high + 1):
        if lowest % 12 in tones:
            keys = tuple(sorted(lowest + (tone - lowest) % 12 for tone in tones))
            if keys[-1] <= high:
                found.append(keys)
    return tuple(found)


SHAPES: dict[str, Callable[[Chord, int, int, tuple[int, ...]], tuple[int, ...]]] = {
    "barre": _barre,
    "power": _power,
    "triad": _triad,
    "close": _close,
    "open": _open,
    "two": _two,
}
