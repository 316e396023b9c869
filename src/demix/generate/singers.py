"""The vocal stem of a generated song: phrases of real singers, fitted to its chords and its beat.

A song has one or two singers. Every phrase of the composer's melody is a slot, filled with phrases of about its length,
moved by at most three semitones and sung faster or slower, so that their first syllables are on the beat and their
pitches in the harmony. Choruses repeat their phrases, verses do not. What is sung twice, a second voice and ad-libs come
where the song is full. The stem is dry: levels are even, and nothing else is done to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr

from demix.config import SAMPLE_RATE
from demix.generate.phrase_bank import TAKES, Bank, Source, open_bank
from demix.generate.phrases import Audio
from demix.generate.score import Song
from demix.generate.voice_choice import Choice, Slot, choose, draw_singer, find_slots, harmony

__all__ = ["Bank", "open_bank", "sing"]

LEAD_DBFS = -20.0  # of a lead voice's loud parts
REPEATED = ("chorus", "refrain", "hook")
PEAK = 0.95
FADE_SECONDS = 0.012
HARMONIES = (3, 4, -3, -4, 7)  # semitones; differences of two takes, so both voices last equally long
LEVEL_BLOCK = SAMPLE_RATE // 20


@dataclass(frozen=True)
class Line:
    """One phrase as it is heard.

    Args:
        choice: the phrase, its speed and pitch.
        beat: when its first syllable is heard, seconds; relative to the slot until the slot is known.
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
    """How a song is sung: odds of what is added, drawn once per song."""

    narrow: bool
    doubled: float
    second: float
    adlibs: float
    spread: float
    alternate: bool


def sing(song: Song, bank: Bank, rng: np.random.Generator) -> Audio:
    """Sing a song.

    Args:
        song: its parts of role `melody` in the stem `vocals` say when.
        bank: the singers.
        rng: all that is drawn comes from it: equal song, bank and state give equal samples.

    Returns:
        The dry vocal stem, `(2, samples)`, 44.1 kHz, as long as the song; loud parts of the lead lie about -20 dBFS,
        peaks below 0.95. Silence for a song without melody.
    """
    stem = np.zeros((2, round(song.seconds * SAMPLE_RATE)), dtype=np.float32)
    notes = [note for part in song.parts if part.stem == "vocals" and part.role == "melody" for note in part.notes]
    for line in _arrange(song, find_slots(song, sorted(notes, key=lambda note: note.start)), bank, rng):
        _add(stem, line, rng)
    peak = float(np.abs(stem).max(initial=0.0))
    return stem if peak <= PEAK else stem * np.float32(PEAK / peak)


def _arrange(song: Song, slots: Sequence[Slot], bank: Bank, rng: np.random.Generator) -> list[Line]:
    """Write down all lines of a song, in order."""
    table = harmony(song)
    first = draw_singer(bank, rng)
    second = draw_singer(bank, rng, beside=[source.name for source in first])
    manner = Manner(
        narrow=bool(rng.random() < 0.6),
        doubled=float(rng.choice([0.0, 0.3, 0.9])),
        second=float(rng.choice([0.0, 0.3, 0.8])),
        adlibs=float(rng.choice([0.0, 0.0, 0.4])),
        spread=float(rng.uniform(0.3, 1.0)),
        alternate=bool(rng.random() < 0.3),
    )
    lines: list[Line] = []
    kept: dict[tuple[str, int], tuple[float, list[Line]]] = {}
    used: list[tuple[str, int]] = []
    place, previous = 0, -1
    for slot in slots:
        place, previous = (place + 1 if slot.section == previous else 0), slot.section
        name, energy = _section(song, slot)
        singer = second if manner.alternate and slot.section % 2 and name not in REPEATED else first
        length, sung = kept.get((name, place), (-1.0, []))
        if name not in REPEATED or abs(length - (slot.until - slot.start)) > 0.1:
            sung = _fill(singer, song, slot, table, used, manner, rng)
            kept[(name, place)] = (slot.until - slot.start, sung)
        here = [replace(line, beat=line.beat + slot.start) for line in sung]
        lines += here
        if rng.random() < manner.doubled * energy:
            lines += _double(here, manner, rng)
        if rng.random() < manner.second * energy:
            lines += _harmonise(here, table, manner, rng)
        if rng.random() < manner.adlibs * energy:
            lines += _echo(here, slot, song, second, table, manner, rng)
    return lines


def _section(song: Song, slot: Slot) -> tuple[str, float]:
    if not song.sections:
        return "verse", 0.5
    section = song.sections[slot.section]
    return section.name, section.energy


def _fill(
    singer: Sequence[Source],
    song: Song,
    slot: Slot,
    table: Audio,
    used: list[tuple[str, int]],
    manner: Manner,
    rng: np.random.Generator,
) -> list[Line]:
    """Fill a slot with one phrase or, where the best are short, several; times are relative to the slot."""
    beat = 60 / song.bpm
    lines: list[Line] = []
    at = slot.start
    while slot.end - at > (1.5 * beat if lines else 0.0):
        choice = choose(singer, song, slot._replace(start=at), table, rng, used=used[-8:])
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
            choice = replace(line.choice, shift=line.choice.shift + rng.uniform(0.05, 0.14) * side)
            late = float(rng.uniform(0.008, 0.03))
            sides.append(
                replace(line, choice=choice, beat=line.beat + late, gain_db=-6.0, pan=side * manner.spread, narrow=True)
            )
    return sides


def _harmonise(lines: Sequence[Line], table: Audio, manner: Manner, rng: np.random.Generator) -> list[Line]:
    """Add a second voice a third or a fifth away, whichever goes best with the chords."""
    added = []
    side = float(rng.choice([-1.0, 1.0]))
    for line in lines:
        choice = line.choice
        classes = np.roll(choice.source.phrases["classes"][choice.phrase], round(choice.shift))
        first = int(line.beat * 20)
        sounding = table[:, first : max(first + 1, int((line.beat + choice.seconds) * 20))].mean(axis=1)
        able = [step for step in HARMONIES if choice.take + step in TAKES]
        if able and choice.source.phrases["voiced"][choice.phrase] > 0.3:
            step = max(able, key=lambda each: float(np.roll(classes, each) @ sounding))
            other = replace(choice, take=choice.take + step, shift=choice.shift + step)
            late = float(rng.uniform(0.0, 0.02))
            added.append(
                replace(
                    line, choice=other, beat=line.beat + late, gain_db=float(rng.uniform(-9, -4)),
                    pan=side * manner.spread * 0.6, narrow=True,
                )
            )
    return added


def _echo(
    lines: Sequence[Line],
    slot: Slot,
    song: Song,
    singer: Sequence[Source],
    table: Audio,
    manner: Manner,
    rng: np.random.Generator,
) -> list[Line]:
    """Put a short phrase of another singer into the rest after a slot, where there is one."""
    beat = 60 / song.bpm
    start = slot.start + np.ceil((slot.end - slot.start) / beat) * beat
    if slot.until - start < beat or not lines:
        return []
    choice = choose(singer, song, Slot(start, slot.until, slot.until, slot.section), table, rng)
    pan = float(rng.choice([-1.0, 1.0])) * manner.spread * 0.7
    room = choice.attack + slot.until - start
    return [Line(choice, float(start), gain_db=float(rng.uniform(-9, -4)), pan=pan, narrow=True, longest=room)]


def render(choice: Choice, *, narrow: bool = False) -> Audio:
    """Return a phrase at its speed and pitch, `(2, samples)`, 44.1 kHz, its loud parts at -20 dBFS.

    Args:
        choice: what to sing.
        narrow: one voice in the middle; of a recording whose sides cancel each other, its left one.
    """
    taken = choice.source.audio(choice.phrase, choice.take).astype(np.float32)
    if narrow:
        middle = taken.mean(axis=1, keepdims=True)
        taken = middle if np.square(middle).sum() >= 0.5 * np.square(taken[:, :1]).sum() else taken[:, :1]
    heard = soxr.resample(taken, SAMPLE_RATE * 2 ** (choice.shift / 12), SAMPLE_RATE, quality="MQ").T
    heard = np.ascontiguousarray(np.broadcast_to(heard, (2, heard.shape[1])))
    return heard * np.float32(10 ** (LEAD_DBFS / 20) / max(_loudness(heard), 1e-6))


def _loudness(heard: Audio) -> float:
    """Return the rms of what is within 12 dB of the loudest twentieth of a second."""
    whole = heard.shape[1] // LEVEL_BLOCK * LEVEL_BLOCK
    power = np.square(heard[:, :whole] if whole else heard).mean(axis=0).reshape(max(1, whole // LEVEL_BLOCK), -1)
    blocks = power.mean(axis=1)
    return float(np.sqrt(blocks[blocks >= blocks.max() / 16].mean()))


def _add(stem: Audio, line: Line, rng: np.random.Generator) -> None:
    """Add a line to the stem, with faded ends, at its place."""
    heard = render(line.choice, narrow=line.narrow)
    heard = heard[:, : round(line.longest * SAMPLE_RATE)] if np.isfinite(line.longest) else heard
    fade = min(round(FADE_SECONDS * SAMPLE_RATE), heard.shape[1] // 2)
    ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
    heard[:, :fade] *= ramp
    heard[:, heard.shape[1] - fade :] *= ramp[::-1]
    gain = np.float32(10 ** ((line.gain_db + rng.normal(0, 1.0)) / 20))
    angle = (line.pan + 1) * np.pi / 4
    sides = np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32) * np.float32(np.sqrt(2))
    at = round((line.beat - line.choice.attack) * SAMPLE_RATE)
    skip = max(0, -at)
    heard = heard[:, skip : skip + stem.shape[1] - max(0, at)]
    stem[:, max(0, at) : max(0, at) + heard.shape[1]] += heard * sides * gain
