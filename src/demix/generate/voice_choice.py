"""Which phrase is sung where: by chords, beat, length and how far it would have to be moved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE
from demix.generate.phrase_bank import TAKES, Bank, Source
from demix.generate.phrases import PITCH_HOP, PITCH_RATE, Floats
from demix.generate.score import Note, Song

GREATEST_SHIFT = 3  # semitones; formants move with the pitch, and further up a voice is a cartoon's
SHIFTS = np.arange(-GREATEST_SHIFT, GREATEST_SHIFT + 1)
HARMONY_RATE = 20  # frames a second of what sounds together
LEAST_PHRASES = 12  # a singer who has fewer takes those of the most similar recordings
BEST = 6  # one of the so many best phrases is drawn
CHORD, SCALE = 1.0, 0.55  # how well a pitch class of the chord, or of the key alone, is sung to what plays
UNTUNED = 0.45  # how well a phrase without pitch goes with any chord
WORN = 0.4  # what having been sung just now costs


class Slot(NamedTuple):
    """Where a phrase is wanted.

    Args:
        start: in seconds.
        end: of its last note.
        until: what follows may not be sung over, seconds.
        section: index in the song's sections.
    """

    start: float
    end: float
    until: float
    section: int


@dataclass(frozen=True)
class Choice:
    """A phrase with what is done to it.

    Args:
        source: the recording.
        phrase: row of its phrases.
        take: one of `TAKES`.
        shift: semitones by which its pitch moves, what the singer is out of tune by taken off.
    """

    source: Source
    phrase: int
    take: int
    shift: float

    @property
    def pace(self) -> float:
        """Length of what is heard over that of the recording."""
        return float(2 ** ((self.take - self.shift) / 12))

    @property
    def attack(self) -> float:
        """When the first syllable is there, seconds."""
        return float(self.source.phrases["attack"][self.phrase]) * self.pace

    @property
    def seconds(self) -> float:
        """Length of what is heard."""
        return float(self.source.phrases["samples"][self.phrase]) / SAMPLE_RATE * self.pace


def find_slots(song: Song, notes: Sequence[Note]) -> list[Slot]:
    """Group sung notes, in the order of their starts, into phrases: a rest of three quarters of a beat is a breath."""
    beat = 60 / song.bpm
    groups: list[list[Note]] = []
    for note in notes:
        if groups and note.start - max(each.start + each.length for each in groups[-1]) < 0.75 * beat:
            groups[-1].append(note)
        else:
            groups.append([note])
    starts = [section.start for section in song.sections] or [0.0]
    slots = []
    for index, group in enumerate(groups):
        start, end = group[0].start, max(note.start + note.length for note in group)
        until = groups[index + 1][0].start if index + 1 < len(groups) else song.seconds
        section = int(np.searchsorted(starts, start + 0.5 * beat, side="right")) - 1
        slots.append(Slot(start, end, min(until, end + 2 * beat), max(0, section)))
    return slots


def chord_table(song: Song) -> npt.NDArray[np.float32]:
    """Return how well every pitch class goes with what the instruments play, `(12, frames)`, 20 frames a second."""
    scale = np.zeros(12, dtype=np.float32)
    scale[[(song.tonic + degree) % 12 for degree in song.scale]] = SCALE
    table = np.repeat(scale[:, None], int(np.ceil(song.seconds * HARMONY_RATE)) + 1, axis=1)
    for part in song.parts:
        if part.role in ("chords", "pad", "arpeggio", "bass"):
            for note in part.notes:
                first = round(note.start * HARMONY_RATE)
                last = max(first + 1, round((note.start + note.length) * HARMONY_RATE))
                table[note.pitch % 12, first:last] = CHORD
    return table


def draw_singer(bank: Bank, rng: np.random.Generator, *, beside: Collection[str] = ()) -> tuple[Source, ...]:
    """Draw a recording, with the most similar ones as long as there are few phrases.

    Args:
        bank: recordings are drawn by the root of how many phrases they have.
        rng: draws.
        beside: names of the recordings of those who sing already.
    """
    free = [source for source in bank.sources if source.name not in beside] or list(bank.sources)
    weights = np.sqrt([len(source.phrases) for source in free])
    first = free[int(rng.choice(len(free), p=weights / weights.sum()))]
    others = sorted((each for each in free if each is not first), key=lambda each: _distance(first, each))
    singer = [first]
    while others and sum(len(each.phrases) for each in singer) < LEAST_PHRASES:
        singer.append(others.pop(0))
    return tuple(singer)


def choose(
    singer: Sequence[Source],
    song: Song,
    slot: Slot,
    table: npt.NDArray[np.float32],
    rng: np.random.Generator,
    *,
    used: Collection[tuple[str, int]] = (),
) -> Choice:
    """Choose a phrase for a slot, its pitch and its speed.

    Args:
        singer: whose phrases.
        song: its key and tempo.
        slot: where it is wanted.
        table: of `chord_table`.
        rng: draws among the best, so that not every song has the same.
        used: source name and row of phrases that were sung a short while ago.
    """
    found: list[tuple[float, Choice]] = []
    minor = 3 in song.scale
    for source in singer:
        fits = _fit_chords(source, slot, table)[:, :, None] + _fit_time(source, song, slot)
        if source.key[1] == minor:
            fits[:, (source.key[0] + SHIFTS) % 12 == song.tonic] += 0.05
        fits[[row for name, row in used if name == source.name]] -= WORN
        best = fits.reshape(len(fits), -1).argmax(axis=1)  # of every phrase one shift and take
        for row in range(len(fits)):
            shift, take = divmod(int(best[row]), len(TAKES))
            in_tune = float(SHIFTS[shift] - source.phrases["tuning"][row])
            found.append((float(fits[row, shift, take]), Choice(source, row, TAKES[take], in_tune)))
    found = sorted(found, key=lambda pair: pair[0], reverse=True)[:BEST]
    odds = np.exp(8 * np.array([fit - found[0][0] for fit, _ in found]))
    return found[int(rng.choice(len(found), p=odds / odds.sum()))][1]


def _fit_chords(source: Source, slot: Slot, table: npt.NDArray[np.float32]) -> Floats:
    """Return how well the phrases go with the chords from the slot's start on, `(phrases, shifts)`."""
    rows = source.phrases
    frames = rows["track"][:, 1]
    owner = np.repeat(np.arange(len(rows)), frames)
    since = np.arange(len(owner)) - np.repeat(np.cumsum(frames) - frames, frames)
    voiced = np.flatnonzero(~np.isnan(source.pitch))
    owner, since = owner[voiced], since[voiced]
    classes = np.rint(source.pitch[voiced] - rows["tuning"][owner]).astype(int)
    seconds = slot.start - rows["attack"][owner] + since * (PITCH_HOP / PITCH_RATE)
    at = np.clip((seconds * HARMONY_RATE).astype(int), 0, table.shape[1] - 1)
    fits = np.empty((len(rows), len(SHIFTS)))
    share = rows["voiced"].astype(np.float64)
    for index, shift in enumerate(SHIFTS):
        sums = np.bincount(owner, weights=table[(classes + shift) % 12, at], minlength=len(rows))
        fits[:, index] = sums / np.maximum(frames, 1) + (1 - share) * UNTUNED - 0.03 * abs(shift)
    return fits


def _fit_time(source: Source, song: Song, slot: Slot) -> Floats:
    """Return how well length and syllables go with slot and beat, `(phrases, shifts, takes)`; at most 0."""
    rows = source.phrases
    shifts = SHIFTS[None, :, None] - rows["tuning"][:, None, None]
    pace = 2 ** ((np.array(TAKES)[None, None, :] - shifts) / 12)
    sung = (rows["samples"] / SAMPLE_RATE - rows["attack"])[:, None, None] * pace
    wanted, room = slot.end - slot.start, slot.until - slot.start
    fit = -0.5 * np.abs(np.log2(np.maximum(sung, 0.1) / max(wanted, 0.2))) - np.maximum(0.0, sung - room)
    fit -= 0.25 * np.abs(np.log2(pace))
    after = rows["onsets"] - rows["attack"][:, None]
    heard = after > 0.05  # not where there is none: NaN
    eighths = np.where(heard, after, 0.0)[:, None, None, :] * (pace / (30 / song.bpm))[..., None]
    beats = (np.cos(2 * np.pi * eighths) * heard[:, None, None, :]).sum(axis=-1)
    several = heard.sum(axis=1)[:, None, None]
    return fit + 0.3 * np.where(several >= 2, beats / np.maximum(several, 1) - 1, -1.0)


def _distance(one: Source, other: Source) -> float:
    """Return how different two recordings' voices are, by height and by how much of them has a pitch."""
    first, second = (_likeness(source) for source in (one, other))
    return float(np.linalg.norm(first - second)) + 2.0 * (one.name.split("/")[0] != other.name.split("/")[0])


def _likeness(source: Source) -> Floats:
    pitch = source.pitch[~np.isnan(source.pitch)]
    return np.array([float(np.median(pitch)) / 4 if len(pitch) else 15.0, 4 * float(source.phrases["voiced"].mean())])
