"""Bass lines as patterns that follow the chords.

Letters: `R` root, `3` `5` `6` `7` the chord's, `n` the second, `4` the fourth, `8` the octave, `L` the fifth below, `g`
a dead note, `a` a semitone below the next root, `A` a tone above it, `T` the key's tonic.
"""

from collections.abc import Sequence

import numpy as np

from demix.generate.events import Bar, Event, chance, pick, read_steps
from demix.generate.harmony import Chord

LINES: dict[str, tuple[str, ...]] = {
    "whole": ("R---------------", "R-----------5---", "R---------R-----", "R-----------8---"),
    "halves": ("R-------5-------", "R-------R-----a-", "R-------8-------"),
    "quarters": ("R---R---R---R---", "R---R---5---R---", "R---R---R---a---", "R-.-R-.-8-.-R-.-"),
    "eighths": ("R-R-R-R-R-R-R-R-", "R-R-R-R-R-R-R-5-", "RRRRRRRR", "R-R-R-R-R-R-8-a-", "R-R-5-R-R-R-5-7-"),
    "push": ("R-----R-R-----R-", "R--R--R-R--R--R-", "R-----R---R-8-5-", "R--R----R-R---5-", "R--R--8---R-5---"),
    "two beat": ("R-----..5-----..", "R---....L---....", "R---R---5---5---", "R-----..L---n-3-"),
    "walking": (
        "R---3---5---a---|R---5---8---A---",
        "R---n---3---a---|R---3---5---6---",
        "8---7---5---a---|R---3---5---A---",
        "R---3---5---6---|8---7---6---a---",
        "R---5---3---a---|R---R---5---a---",
    ),
    "boogie": (
        "R-R-3-3-5-5-6-6-|7-7-6-6-5-5-3-3-",
        "R---3---5---6---|8---6---5---3---",
        "R-R-5-5-6-6-5-5-",
        "R-5-6-5-R-5-6-a-",
        "R---8---7---5---",
    ),
    "octaves": ("R-8-R-8-R-8-R-8-", "R-.8R-.8R-.8R-.8", "R.8.R.8.R.8.5.8.", "R-R8R-R8R-R8R-78"),
    "offbeat": ("..R-..R-..R-..R-", "..R...R...R...RR", "..R-..R-..R-..8-", ".RR.RR.R.RR.RR.R"),
    "rolling": (".RRR.RRR.RRR.RRR", "..RR..RR..RR..R8", "RRRRRRRRRRRRRRRR", "R.RRR.RRR.RRR.R8", ".R8R.R8R.R8R.R7R"),
    "gallop": ("R-RRR-RRR-RRR-RR", "R-RRR-RRR-RR5-7-", "RRR-RRR-RRR-RRR-"),
    "funk": (
        "R-..g.R.8-..7-5-|R-..g.R.....78..",
        "R..Rg..8..7.5.7.",
        "R-.R..g.R.8.g7..|R-.R..g...5.6.7.",
        "R-....Rg.R..8-7.",
        "R.gR.g8..gR.7.8.",
        "R-..R.8.g.5.R.a.",
    ),
    "soul": (
        "R--R..5-8--6..5-|R--R..5-3---a---",
        "R-..R-3-5-..6-5-",
        "R---..R-5-6-8-6-",
        "R-.R-.5.R-.R-.67",
        "R--5--8---6-5-3-",
    ),
    "reggae": (
        "....R-3-5---....|R---5-5-....3-R-",
        "R--R--5-....8-5-",
        "....R-R-3-3-5-5-",
        "R-R-..8---..5-3-",
        "R-----5-..R-3-5-",
    ),
    "arpeggio": ("R---5---8---5---", "R-5-8-5-3-5-8-5-", "R---3---5---8---", "R--5--8---5-3---"),
    "ballad": ("R-----R-5-----..", "R-----..R---5-a-", "R-----5-8-----..", "R---------R-3-a-"),
    "riff": (
        "R-R.7-R-..3-4-3-|R-R.7-R-....5-4-",
        "R--R--3-4-3-R-7-",
        "R-..R-3-R-..4-3-",
        "R-8-7-5-4-3-R-..",
        "RR.R.R3.RR.R.R75",
    ),
    "808": (
        "R-------..R-----",
        "R---------....8-|R-----R-..R-----",
        "R-----..R-..R---",
        "R-------------..|R---..R---8-R---",
    ),
    "hip hop": ("R-....R-..5-....|R-....R-..3-R---", "R---....7-R-....", "R--R......R-5-7-", "R-----..8---7-5-"),
    "tumbao": ("R-----5-----8---", "......5-----R---", "R-----5-..R-5---"),
    "pedal": ("T-T-T-T-T-T-T-T-", "T---T---T---T---", "TTTTTTTTTTTTTTTT", "T-8-T-8-T-8-T-8-"),
    "triplets": ("R.RR.RR.RR.a", "R-RR-R5-56-6", "R-.5-.6-.5-.", "R..R.R5..5.5"),
    "high": ("8-5-8-3-8-5-6-7-", "R-3-5-8-..5-8---", "8---..7-5---3-4-", "R-5-8-3-5-8-5-3-"),
}


def write_bass(
    bars: Sequence[Bar],
    lines: Sequence[str],
    themes: Sequence[int],
    plays: Sequence[bool],
    tonic: int,
    lowest: int,
    highest: int,
    rng: np.random.Generator,
) -> list[Event]:
    """Write the bass part.

    Args:
        bars: of the song.
        lines: three patterns.
        themes: for each bar which of them is played.
        plays: for each bar whether the bass plays.
        tonic: pitch class of the key.
        lowest: the lowest key of a root; roots lie within the octave above.
        highest: the highest key.
        rng: what draws.

    Returns:
        Events in the order of their beats, one at a time.
    """
    events: list[Event] = []
    variation = max(0.0, rng.uniform(-0.15, 0.25))  # many loop exactly
    approach, slide = max(0.0, rng.uniform(-0.3, 0.7)), max(0.0, rng.uniform(-0.1, 0.12))
    for bar, theme, playing in zip(bars, themes, plays, strict=True):
        if not playing:
            continue
        if bar.last:
            events.append(Event(bar.beat, bar.beats, _root(bar.chords[0].chord.root, lowest), 0.95))
            continue
        steps = list(read_steps(lines[theme], bar.place, bar.beats))
        if bar.place % 4 == 3 and steps and chance(rng, approach):  # lead into the next round
            steps = [step for step in steps if step[0] < bar.beats - 1] + [
                (bar.beats - 1.0, 0.5, pick(rng, "R5")),
                (bar.beats - 0.5, 0.5, "a"),
            ]
        for start, length, letter in steps:
            if start and chance(rng, 0.12 * variation):
                continue
            played = pick(rng, "R58") if letter in "R5" and start % 1 and chance(rng, variation * 0.5) else letter
            pitch = _pitch(played, bar.chord_at(start), bar.next_chord(start), tonic, lowest)
            pitch = pitch - 12 if pitch > highest else pitch
            loud = 0.35 if letter == "g" else 0.9 if start % 1 == 0 else 0.78
            length_played = 0.12 if letter == "g" else length
            if length >= 1 and chance(rng, slide):
                events.append(Event(bar.beat + start, 0.12, max(lowest, pitch - 2), loud * 0.8))
                start, length_played = start + 0.12, length_played - 0.12
            events.append(Event(bar.beat + start, length_played, pitch, loud))
    return events


def _root(pitch_class: int, lowest: int) -> int:
    return lowest + (pitch_class - lowest) % 12


def _pitch(letter: str, chord: Chord, after: Chord, tonic: int, lowest: int) -> int:
    root = _root(chord.root, lowest)
    if letter in "aA":  # from below or from above into the next root
        return max(lowest, _root(after.root, lowest) + (-1 if letter == "a" else 2))
    if letter in "3567":
        return root + chord.degree(int(letter))
    if letter == "L":
        return root - 5 if root - 5 >= lowest else root + 7
    return {"8": root + 12, "T": _root(tonic, lowest), "n": root + 2, "4": root + 5}.get(letter, root)


def lock_to_kick(kicks: Sequence[float], beats: int, rng: np.random.Generator) -> str:
    """A line that plays with the kick drum: long or short roots, with other tones here and there."""
    steps = {round(beat * 4) for beat in kicks} | {0}
    short = chance(rng, 0.4)
    letters = ["." if short else "-"] * 16
    for step in sorted(steps):
        if step < beats * 4:
            letters[step] = "R" if step == 0 else pick(rng, "RRRR58")
            if short and step + 1 < 16 and step + 1 not in steps:
                letters[step + 1] = "-"
    return "".join(letters)
