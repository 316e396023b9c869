"""Scales, chords in Roman numerals, and which notes go over a chord."""

import re
from functools import lru_cache
from typing import NamedTuple

# Semitones above the tonic.
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "blues": (0, 2, 3, 4, 5, 7, 9, 10),
}
# A ladder with few wrong turns for solos: the pentatonic scale of each mode.
PENTATONIC = {
    scale: (0, 2, 4, 7, 9) if 4 in steps and 3 not in steps else (0, 3, 5, 7, 10) for scale, steps in SCALES.items()
}
DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
# Semitones above the root: a numeral in capitals is major (M), in small letters minor (m), then the suffix.
QUALITIES = {
    "M": (0, 4, 7),
    "m": (0, 3, 7),
    "M7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "Mmaj7": (0, 4, 7, 11),
    "M6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "M9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "Madd9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "Msus4": (0, 5, 7),
    "Msus2": (0, 2, 7),
    "M5": (0, 7),
    "m5": (0, 7),
    "mdim": (0, 3, 6),
    "mm7b5": (0, 3, 6, 10),
    "mdim7": (0, 3, 6, 9),
    "M+": (0, 4, 8),
    "M7#9": (0, 4, 7, 10, 15),
}
NUMERAL = re.compile(r"([b#]?)([IV]+|[iv]+)(.*)")


class Chord(NamedTuple):
    """A chord.

    Args:
        root: pitch class, 0 is C.
        intervals: semitones of its tones above the root, rising from 0.
    """

    root: int
    intervals: tuple[int, ...]

    @property
    def tones(self) -> frozenset[int]:
        """Its pitch classes."""
        return frozenset((self.root + interval) % 12 for interval in self.intervals)

    def degree(self, number: int) -> int:
        """Semitones of its third, fifth, seventh ... above the root: what it has there, or what is usual."""
        usual = {3: (3, 4, 5, 2), 5: (7, 6, 8), 6: (9, 8), 7: (10, 11, 9)}[number]
        return next((interval for interval in usual if interval in self.intervals), usual[0])


@lru_cache(maxsize=4096)
def read_chord(numeral: str, tonic: int) -> Chord:
    """Read a Roman numeral such as `bVII`, `ii7` or `Vsus4`, counted in the major scale of the tonic.

    Raises:
        KeyError: it names no degree or no quality of `QUALITIES`.
    """
    match = NUMERAL.fullmatch(numeral)
    if match is None:
        raise KeyError(numeral)
    sign, degree, suffix = match.groups()
    root = tonic + DEGREES[degree.upper()] + {"b": -1, "#": 1, "": 0}[sign]
    return Chord(root % 12, QUALITIES[("M" if degree.isupper() else "m") + suffix])


@lru_cache(maxsize=4096)
def ladder(chord: Chord, pitch_classes: tuple[int, ...], low: int, high: int) -> tuple[int, ...]:
    """Keys that a melody may use over a chord: of the scale, but what clashes with a borrowed chord's tone.

    Args:
        chord: what sounds.
        pitch_classes: of the scale.
        low: lowest key.
        high: highest key.

    Returns:
        MIDI keys, rising.
    """
    tones = chord.tones
    borrowed = {tone for tone in tones if tone not in pitch_classes}
    clashes = {(tone + step) % 12 for tone in borrowed for step in (-1, 1)} - tones
    allowed = (set(pitch_classes) | borrowed) - clashes
    return tuple(key for key in range(low, high + 1) if key % 12 in allowed)


def nearest(key: int, pitch_class: int) -> int:
    """The key of a pitch class that is nearest to a key."""
    return key + (pitch_class - key + 6) % 12 - 6
