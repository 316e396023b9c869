"""What can play in the stem `other`: instruments, what they play and where they lie."""

from typing import NamedTuple


class Layer(NamedTuple):
    """A kind of part.

    Args:
        role: as in `score.Part`.
        programs: General MIDI programs, one is drawn.
        rhythms: keys of `chords.RHYTHMS`, or `riff` for a line of `bass_lines`.
        shape: of `voicing.VOICINGS`.
        low: lowest key of its register; songs move it up or down a little.
        high: highest key.
        hold: share of a note's length that it is held.
        strum: seconds from string to string, at most.
    """

    role: str
    programs: tuple[int, ...]
    rhythms: tuple[str, ...]
    shape: str
    low: int
    high: int
    hold: float = 0.9
    strum: float = 0.0


LAYERS = {
    "acoustic guitar": Layer(
        "chords", (25, 25, 24), ("strum", "strum", "eighths", "sixteenths"), "barre", 40, 76, 0.95, 0.014
    ),
    "picked guitar": Layer("arpeggio", (25, 24, 27), ("picking", "broken"), "barre", 40, 79, 1.2),
    "boom chick guitar": Layer("chords", (25, 26, 27), ("boom chick",), "barre", 40, 74, 0.8, 0.012),
    "clean guitar": Layer("chords", (27, 27, 26), ("strum", "push", "eighths", "skank"), "barre", 43, 79, 0.85, 0.012),
    "clean arpeggio": Layer("arpeggio", (27, 26, 31), ("broken", "picking", "sequence"), "close", 48, 84, 1.2),
    "crunch guitar": Layer("chords", (29, 29, 30), ("drive", "push", "strum", "eighths"), "barre", 40, 74, 0.92, 0.008),
    "power guitar": Layer("chords", (30, 29, 30), ("drive", "eighths", "push"), "power", 40, 70, 0.95, 0.004),
    "chug guitar": Layer("chords", (30, 30, 29), ("chug", "drive"), "power", 40, 68, 0.85, 0.002),
    "wide guitar": Layer("pad", (30, 29), ("pad", "halves"), "power", 45, 76, 1.0, 0.008),
    "riff guitar": Layer("riff", (29, 30, 27), ("riff",), "two", 40, 76, 0.9),
    "twang riff": Layer("riff", (27, 26), ("riff",), "two", 40, 76, 0.9),
    "fast guitar": Layer("chords", (30,), ("tremolo", "sixteenths"), "power", 40, 70, 0.9, 0.001),
    "scratch guitar": Layer("chords", (27, 28), ("scratch", "scratch", "sixteenths"), "triad", 55, 84, 0.7, 0.006),
    "muted guitar": Layer("arpeggio", (28,), ("pulse", "sequence"), "close", 48, 76, 0.7),
    "skank guitar": Layer("chords", (27, 28), ("skank",), "triad", 55, 84, 0.45, 0.006),
    "jazz guitar": Layer("chords", (26,), ("quarters", "charleston"), "close", 50, 76, 0.6, 0.008),
    "shuffle guitar": Layer("chords", (27, 29, 26), ("shuffle", "skank"), "barre", 40, 74, 0.75, 0.008),
    "tremolo guitar": Layer("chords", (27,), ("tremolo",), "two", 55, 84, 0.9),
    "banjo": Layer("arpeggio", (105, 105, 25), ("picking", "sequence"), "close", 55, 84, 0.8),
    "piano": Layer("chords", (0, 0, 1), ("quarters", "eighths", "push", "halves"), "open", 45, 80, 0.9),
    "piano arpeggio": Layer("arpeggio", (0, 0, 2), ("broken", "alberti"), "close", 52, 88, 1.1),
    "honky-tonk": Layer("chords", (3, 0, 1), ("boom chick", "shuffle", "triplets"), "close", 50, 86, 0.7),
    "house piano": Layer("chords", (1, 0), ("house", "push"), "close", 55, 86, 0.75),
    "jazz piano": Layer("chords", (0,), ("charleston", "stabs", "push"), "close", 50, 79, 0.7),
    "electric piano": Layer("chords", (4, 4, 5), ("push", "quarters", "halves", "charleston"), "close", 48, 79, 0.9),
    "clavinet": Layer("chords", (7,), ("scratch", "sixteenths"), "triad", 48, 76, 0.6),
    "organ": Layer("pad", (16, 18, 16), ("pad", "halves"), "close", 48, 81, 1.0),
    "organ stabs": Layer("chords", (17, 18, 16), ("skank", "stabs", "push"), "triad", 55, 86, 0.7),
    "strings": Layer("pad", (48, 49, 48), ("pad",), "open", 48, 91, 1.0),
    "high strings": Layer("pad", (48, 44, 40), ("pad", "halves"), "two", 67, 93, 1.0),
    "brass": Layer("chords", (61, 61, 62), ("stabs", "push"), "close", 52, 80, 0.6),
    "synth pad": Layer("pad", (89, 90, 88, 50, 95, 94), ("pad",), "open", 45, 86, 1.0),
    "synth strings": Layer("pad", (50, 51), ("pad", "halves"), "open", 48, 90, 1.0),
    "synth chords": Layer("chords", (81, 62, 90, 5), ("house", "push", "stabs"), "close", 50, 82, 0.6),
    "synth sequence": Layer("arpeggio", (81, 80, 87, 82), ("sequence", "pulse", "sequence"), "close", 48, 88, 0.7),
    "pluck": Layer("arpeggio", (11, 12, 46, 5, 8), ("sequence", "broken"), "close", 60, 93, 0.9),
    "bells": Layer("arpeggio", (9, 14, 8, 11), ("broken", "picking"), "close", 67, 96, 1.0),
    "vibraphone": Layer("chords", (11,), ("charleston", "halves", "push"), "close", 55, 84, 1.0),
    "accordion": Layer("chords", (21, 23), ("boom chick", "push", "halves"), "close", 55, 84, 0.8),
    "dark keys": Layer("chords", (4, 0, 11, 46), ("halves", "pad", "push"), "close", 43, 74, 1.0),
    "montuno piano": Layer("chords", (0, 4), ("montuno",), "close", 52, 84, 0.7),
    "nylon bossa": Layer("chords", (24,), ("charleston", "push"), "close", 45, 72, 0.8, 0.006),
}
# Programs for leads by family.
LEADS = {
    "guitar": (29, 30, 27),
    "metal": (30, 30, 29),
    "clean": (27, 26),
    "blues": (29, 27, 22, 66),
    "surf": (27, 27, 66),
    "keys": (0, 4, 17, 18),
    "synth": (80, 81, 84, 87, 62),
    "soft": (73, 71, 40, 60, 24),
    "horn": (56, 66, 65, 57, 64),
    "folk": (110, 22, 73, 21, 25, 105),
    "jazz": (66, 56, 11, 26, 0, 71),
    "glass": (80, 11, 12, 5, 82),
}
