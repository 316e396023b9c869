"""Which phrase is sung where: by chords, beat, length and how far it would have to be moved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from demix.generate.phrase_bank import TAKES, Bank, Source
from demix.generate.phrases import PITCH_HOP, PITCH_RATE, Floats, key_of
from demix.generate.score import Note, Song

GREATEST_SHIFT = 3  # semitones; formants move with the pitch, and further up a voice is a cartoon's
HARMONY_RATE = 20  # frames a second of what sounds together
LEAST_PHRASES = 12  # a singer who has fewer takes those of the most similar recordings
BEST = 6  # one of the so many best phrases is drawn
STRENGTH = {"chord": 1.0, "scale": 0.55, "foreign": 0.0}  # of a sung pitch class while others play
UNTUNED = 0.45  # how well a phrase without pitch fits any chord


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
        shift: semitones by which pitch moves, what the singer is out of tune by included.
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
        return float(self.source.phrases["samples"][self.phrase]) / 44100 * self.pace


def find_slots(song: Song, notes: Sequence[Note]) -> list[Slot]:
    """Group sung notes into phrases: a rest of three quarters of a beat is a breath."""
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


def harmony(song: Song) -> npt.NDArray[np.float32]:
    """Return how well every pitch class goes with what the instruments play, `(12, frames)`, 20 frames a second."""
    scale = np.full(12, STRENGTH["foreign"], dtype=np.float32)
    scale[[(song.tonic + degree) % 12 for degree in song.scale]] = STRENGTH["scale"]
    frames = int(np.ceil(song.seconds * HARMONY_RATE)) + 1
    table = np.repeat(scale[:, None], frames, axis=1)
    for part in song.parts:
        if part.role in ("chords", "pad", "arpeggio", "bass"):
            for note in part.notes:
                first = round(note.start * HARMONY_RATE)
                last = max(first + 1, round((note.start + note.length) * HARMONY_RATE))
                table[note.pitch % 12, first:last] = STRENGTH["chord"]
    return table


def draw_singer(bank: Bank, rng: np.random.Generator, *, beside: Collection[str] = ()) -> tuple[Source, ...]:
    """Draw a recording, with the most similar ones as long as there are few phrases.

    Recordings are drawn by the root of how many phrases they have. `beside` names those who sing already.
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
    """Choose a phrase for a slot, its pitch and its speed; one of the best is drawn.

    Args:
        singer: whose phrases.
        song: its key and tempo.
        slot: where it is wanted.
        table: of `harmony`.
        rng: draws among the best, so that not every song has the same.
        used: source name and row of phrases that were sung a short while ago.
    """
    best: list[tuple[float, Choice]] = []
    for source in singer:
        tonic, minor = key_of(source.phrases["classes"].mean(axis=0))
        for row in range(len(source.phrases)):
            for shift, at_shift in _fits(source, row, song, slot, table):
                if minor == (3 in {degree % 12 for degree in song.scale}) and (tonic + shift) % 12 == song.tonic:
                    at_shift += 0.05
                choices = [Choice(source, row, take, shift - float(source.phrases["tuning"][row])) for take in TAKES]
                fit, choice = max(((_fit_time(each, song, slot), each) for each in choices), key=lambda pair: pair[0])
                worn = 0.4 * ((source.name, row) in used)
                best.append((at_shift + fit - worn - 0.03 * abs(shift), choice))
    best.sort(key=lambda pair: pair[0], reverse=True)
    heads = list({(id(choice.source), choice.phrase): (fit, choice) for fit, choice in reversed(best)}.values())[::-1]
    heads = sorted(heads, key=lambda pair: pair[0], reverse=True)[:BEST]
    odds = np.exp(8 * np.array([fit - heads[0][0] for fit, _ in heads]))
    return heads[int(rng.choice(len(heads), p=odds / odds.sum()))][1]


def _fits(
    source: Source, row: int, song: Song, slot: Slot, table: npt.NDArray[np.float32]
) -> list[tuple[int, float]]:
    """Return for every shift in keys how well the phrase's pitches go with the chords that sound in the slot."""
    shifts = range(-GREATEST_SHIFT, GREATEST_SHIFT + 1)
    track = source.track(row)
    voiced = np.flatnonzero(~np.isnan(track))
    share = float(source.phrases["voiced"][row])
    if not len(voiced):
        return [(shift, UNTUNED) for shift in shifts]
    classes = np.rint(track[voiced] - source.phrases["tuning"][row]).astype(int)
    seconds = slot.start - float(source.phrases["attack"][row]) + voiced * (PITCH_HOP / PITCH_RATE)
    frames = np.clip((seconds * HARMONY_RATE).astype(int), 0, table.shape[1] - 1)
    return [
        (shift, share * float(table[(classes + shift) % 12, frames].mean()) + (1 - share) * UNTUNED)
        for shift in shifts
    ]


def _fit_time(choice: Choice, song: Song, slot: Slot) -> float:
    """Return how well length and syllables go with slot and beat; 0 is as well as can be hoped for."""
    sung = choice.seconds - choice.attack
    wanted, room = slot.end - slot.start, slot.until - slot.start
    fit = -0.5 * abs(float(np.log2(max(sung, 0.1) / max(wanted, 0.2)))) - 1.0 * max(0.0, sung - room)
    fit -= 0.25 * abs(float(np.log2(choice.pace)))
    onsets = choice.source.phrases["onsets"][choice.phrase]
    onsets = onsets[~np.isnan(onsets)] * choice.pace - choice.attack
    onsets = onsets[onsets > 0.05]
    if len(onsets) >= 2:
        fit += 0.3 * (float(np.cos(2 * np.pi * onsets / (30 / song.bpm)).mean()) - 1)  # on eighth notes
    return fit


def _distance(one: Source, other: Source) -> float:
    """Return how different two recordings' voices are, by height and by how much of them has a pitch."""
    first, second = (_likeness(source) for source in (one, other))
    return float(np.linalg.norm(first - second)) + 2.0 * (one.name.split("/")[0] != other.name.split("/")[0])


def _likeness(source: Source) -> Floats:
    pitch = source.phrases["pitch"]
    usual = float(np.median(pitch[~np.isnan(pitch)])) if (~np.isnan(pitch)).any() else 60.0
    return np.array([usual / 4, 4 * float(source.phrases["voiced"].mean())])
