"""Who sings what in a song: slots filled with phrases, doubled, harmonised and answered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from demix.generate.phrase_bank import TAKES, Bank, Source
from demix.generate.score import Song
from demix.generate.voice_choice import HARMONY_RATE, Choice, Slot, choose, chord_table, draw_singer, find_slots

REPEATED = ("chorus", "refrain", "hook")  # sections whose phrases come back
HARMONIES = (3, 4, -3, -4, 7)  # semitones; differences of two takes, so both voices last equally long
RECENT = 8  # phrases, after which one may come again


@dataclass(frozen=True)
class Line:
    """One phrase as it is heard.

    Args:
        choice: the phrase, its speed and pitch.
        beat: when its first syllable is heard, seconds.
        gain_db: relative to the lead.
        pan: -1 is left.
        narrow: sung from one point, else as wide as it was recorded.
        longest: what is heard before it fades out, seconds.
    """

    choice: Choice
    beat: float
    gain_db: float = 0.0
    pan: float = 0.0
    narrow: bool = False
    longest: float = float("inf")


@dataclass(frozen=True)
class Manner:
    """How a song is sung, drawn once for each.

    Args:
        narrow: the lead sings from one point.
        doubled: odds that a line of a full section is sung three times over.
        second: odds of a second voice there.
        adlibs: odds of an answer in the rest after a slot there.
        spread: how far out the added voices stand, 0 to 1.
        alternate: two singers take turns outside of choruses.
    """

    narrow: bool
    doubled: float
    second: float
    adlibs: float
    spread: float
    alternate: bool


def arrange(song: Song, bank: Bank, rng: np.random.Generator) -> list[Line]:
    """Write down all lines of a song.

    Args:
        song: its parts of role `melody` in the stem `vocals` say when is sung.
        bank: who sings.
        rng: all that is drawn comes from it.
    """
    notes = [note for part in song.parts if part.stem == "vocals" and part.role == "melody" for note in part.notes]
    slots = find_slots(song, sorted(notes, key=lambda note: note.start))
    first = draw_singer(bank, rng)
    second = draw_singer(bank, rng, beside=[source.name for source in first])
    manner = draw_manner(rng)
    table = chord_table(song)
    lines: list[Line] = []
    kept: dict[tuple[str, int], tuple[float, list[list[Line]]]] = {}
    used: list[tuple[str, int]] = []
    place, previous = 0, -1
    for slot in slots:
        place, previous = (place + 1 if slot.section == previous else 0), slot.section
        name, energy = (
            (song.sections[slot.section].name, song.sections[slot.section].energy) if song.sections else ("", 0.5)
        )
        singer = second if manner.alternate and slot.section % 2 and name not in REPEATED else first
        room = slot.until - slot.start
        length, voices = kept.get((name, place), (-1.0, []))
        if name not in REPEATED or abs(length - room) > 0.1:
            lead = _fill(singer, song, slot, table, used, manner, rng)
            voices = [lead, _double(lead, manner, rng), _harmonise(lead, slot, table, manner, rng)]
            kept[(name, place)] = (room, voices)
        odds = (1.0, manner.doubled * energy, manner.second * energy)
        sung = [line for voice, chance in zip(voices, odds, strict=True) if rng.random() < chance for line in voice]
        lines += [replace(line, beat=line.beat + slot.start) for line in sung]
        if rng.random() < manner.adlibs * energy:
            lines += _answer(slot, song, second, table, manner, rng)
    return lines


def draw_manner(rng: np.random.Generator) -> Manner:
    """Draw how a song is sung."""
    return Manner(
        narrow=bool(rng.random() < 0.6),
        doubled=float(rng.choice([0.0, 0.3, 0.9])),
        second=float(rng.choice([0.0, 0.3, 0.8])),
        adlibs=float(rng.choice([0.0, 0.0, 0.4])),
        spread=float(rng.uniform(0.3, 1.0)),
        alternate=bool(rng.random() < 0.3),
    )


def _fill(
    singer: Sequence[Source],
    song: Song,
    slot: Slot,
    table: npt.NDArray[np.float32],
    used: list[tuple[str, int]],
    manner: Manner,
    rng: np.random.Generator,
) -> list[Line]:
    """Fill a slot with one phrase or, where that is short, several; beats are counted from the slot's start."""
    beat = 60 / song.bpm
    lines: list[Line] = []
    at = slot.start
    while not lines or slot.end - at > 1.5 * beat:
        choice = choose(singer, song, slot._replace(start=at), table, rng, used=used[-RECENT:])
        used.append((choice.source.name, choice.phrase))
        room = slot.until - at
        lines.append(Line(choice, at - slot.start, narrow=manner.narrow, longest=choice.attack + room))
        sung = max(min(choice.seconds - choice.attack, room), beat / 2)
        at += float(np.ceil(sung / beat - 0.1)) * beat
    return lines


def _double(lines: Sequence[Line], manner: Manner, rng: np.random.Generator) -> list[Line]:
    """Sing lines once more on either side: a little late, a little out of tune."""
    sides = []
    for line in lines:
        for side in (-1.0, 1.0):
            choice = replace(line.choice, shift=line.choice.shift + side * float(rng.uniform(0.05, 0.14)))
            late = line.beat + float(rng.uniform(0.008, 0.03))
            sides.append(replace(line, choice=choice, beat=late, gain_db=-6.0, pan=side * manner.spread, narrow=True))
    return sides


def _harmonise(
    lines: Sequence[Line], slot: Slot, table: npt.NDArray[np.float32], manner: Manner, rng: np.random.Generator
) -> list[Line]:
    """Add a second voice a third or a fifth away, whichever goes best with the chords; none to what has no pitch."""
    pan = float(rng.choice([-0.6, 0.6])) * manner.spread
    gain_db = float(rng.uniform(-9, -4))
    added = []
    for line in lines:
        choice = line.choice
        row = choice.source.phrases[choice.phrase]
        able = [step for step in HARMONIES if choice.take + step in TAKES]
        if able and row["voiced"] > 0.3:
            heard = np.roll(row["classes"], round(choice.shift + float(row["tuning"])))
            begin = int((slot.start + line.beat) * HARMONY_RATE)
            goes = table[:, begin : begin + max(1, int(choice.seconds * HARMONY_RATE))].mean(axis=1)
            step = max(able, key=lambda each: float(np.roll(heard, each) @ goes))
            other = replace(choice, take=choice.take + step, shift=choice.shift + step)
            late = line.beat + float(rng.uniform(0.0, 0.02))
            added.append(replace(line, choice=other, beat=late, gain_db=gain_db, pan=pan, narrow=True))
    return added


def _answer(
    slot: Slot,
    song: Song,
    singer: Sequence[Source],
    table: npt.NDArray[np.float32],
    manner: Manner,
    rng: np.random.Generator,
) -> list[Line]:
    """Put a short phrase of another singer into the rest after a slot, where there is one."""
    beat = 60 / song.bpm
    start = slot.start + float(np.ceil((slot.end - slot.start) / beat)) * beat
    if slot.until - start < beat:
        return []
    choice = choose(singer, song, Slot(start, slot.until, slot.until, slot.section), table, rng)
    pan = float(rng.choice([-0.7, 0.7])) * manner.spread
    longest = choice.attack + slot.until - start
    return [Line(choice, start, gain_db=float(rng.uniform(-9, -4)), pan=pan, narrow=True, longest=longest)]
