"""The composer: songs on paper are whole, playable, in key, in time, varied, and repeat as songs do."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from demix.config import STEMS
from demix.errors import DemixError
from demix.generate.compose import write_song
from demix.generate.grooves import KEYS
from demix.generate.instruments import playable
from demix.generate.score import Part, Song
from demix.generate.styles import STYLES

SEEDS = range(60)
ROLES = {"drums", "bass", "chords", "riff", "arpeggio", "pad", "lead", "melody"}


@cache
def song_of(seed: int) -> Song:
    return write_song(seed)


@cache
def songs() -> tuple[Song, ...]:
    return tuple(song_of(seed) for seed in SEEDS)


def part_of(song: Song, stem: str) -> Part | None:
    return next((part for part in song.parts if part.stem == stem), None)


def bar_seconds(song: Song) -> float:
    return song.beats * 60 / song.bpm


def lead_in(song: Song) -> float:
    """Seconds before the first beat: what the second section's start has beyond whole bars."""
    return song.sections[1].start % bar_seconds(song)


def sounding(song: Song, stem: str, step: float = 0.25) -> np.ndarray:
    """For each step of time whether the stem plays: a note is held, or was struck within a beat."""
    row = np.zeros(int(song.seconds / step) + 1, bool)
    for part in song.parts:
        if part.stem == stem:
            for note in part.notes:
                row[int(note.start / step) : int((note.start + max(note.length, 60 / song.bpm)) / step) + 1] = True
    return row


def test_same_seed_is_the_same_song_and_others_differ() -> None:
    assert write_song(3) == song_of(3)
    keys = {(song.style, song.bpm, song.tonic, len(song.parts)) for song in songs()}
    assert len(keys) == len(songs())


def test_negative_seed_is_refused() -> None:
    with pytest.raises(DemixError, match="seed: expected 0 or more, received -1"):
        write_song(-1)


def test_notes_are_ordered_playable_and_inside_the_song() -> None:
    for song in songs():
        assert 85 < song.seconds < 245
        for part in song.parts:
            assert part.notes
            assert part.role in ROLES
            starts = [note.start for note in part.notes]
            assert starts == sorted(starts)
            assert starts[0] >= 0
            assert max(note.start + note.length for note in part.notes) <= song.seconds
            assert all(note.length > 0 and 1 <= note.velocity <= 127 for note in part.notes)
            low, high = (41, 81) if part.stem == "vocals" else playable(part.program)
            keys = set(KEYS.values()) if part.stem == "drums" else range(low, high + 1)
            assert {note.pitch for note in part.notes} <= set(keys), (song.seed, part.name)


def test_stems_are_as_promised() -> None:
    sung = bassless = 0
    for song in songs():
        counts = Counter(part.stem for part in song.parts)
        assert set(counts) <= set(STEMS)
        assert counts["drums"] == 1
        assert counts["bass"] <= 1
        assert counts["vocals"] <= 1
        assert 1 <= counts["other"] <= 5
        assert len({part.name for part in song.parts}) == len(song.parts)
        if not counts["vocals"]:
            assert any(part.role == "lead" for part in song.parts), song.seed
        sung += counts["vocals"]
        bassless += not counts["bass"]
    assert 0.6 < sung / len(songs()) < 0.9
    assert 0.01 < bassless / len(songs()) < 0.1


def test_at_most_four_other_parts_have_notes_in_one_bar() -> None:
    for song in songs():
        length, lead = bar_seconds(song), lead_in(song)
        bars = Counter(
            bar
            for part in song.parts
            if part.stem == "other"
            for bar in {round((note.start - lead + 0.1) // length) for note in part.notes}
        )
        crowded = sum(count > 4 for count in bars.values())
        assert crowded <= 0.03 * len(bars), song.seed  # an upbeat reaches over


def test_one_voice_parts_never_overlap() -> None:
    for song in songs():
        for part in song.parts:
            if part.role in ("bass", "lead", "melody"):
                ends = np.array([note.start + note.length for note in part.notes[:-1]])
                assert np.all(ends <= [note.start + 1e-4 for note in part.notes[1:]]), (song.seed, part.name)


def test_sections_cover_the_song_without_gaps() -> None:
    for song in songs():
        assert song.sections[0].start == 0
        for before, after in zip(song.sections, song.sections[1:], strict=False):
            assert before.start + before.length == pytest.approx(after.start)
        last = song.sections[-1]
        assert last.start + last.length == pytest.approx(song.seconds)
        assert len(song.sections) >= 5
        assert all(0 <= section.energy <= 1 for section in song.sections)
        bars = np.array([section.start - lead_in(song) for section in song.sections[1:]]) / bar_seconds(song)
        assert np.abs(bars - np.round(bars)).max() < 1e-3


def test_most_notes_belong_to_the_scale() -> None:
    shares = []
    for song in songs():
        scale = {(song.tonic + step) % 12 for step in song.scale}
        inside = [note.pitch % 12 in scale for part in song.parts if part.stem != "drums" for note in part.notes]
        shares.append(np.mean(inside))
    assert min(shares) > 0.7  # borrowed chords
    assert np.median(shares) > 0.95


def test_parts_agree_on_the_harmony() -> None:
    """The bass's long notes are tones that the chords play at that time, mostly."""
    shares = []
    for song in songs():
        chords = [part for part in song.parts if part.role in ("chords", "pad", "arpeggio")]
        bass = part_of(song, "bass")
        if bass is None:
            continue
        agree = []
        for note in bass.notes[::7]:
            around = [
                other.pitch % 12
                for part in chords
                for other in part.notes
                if other.start < note.start + 0.1 and other.start + other.length > note.start + 0.02
            ]
            if around and note.length > 0.25:
                agree.append(note.pitch % 12 in around)
        if len(agree) > 5:
            shares.append(np.mean(agree))
    assert len(shares) > 30
    assert np.median(shares) > 0.7


def test_drums_keep_the_grid_but_for_groove() -> None:
    """Each place in the bar is hit at nearly the same moment in every bar, and backbeats lie on beats."""
    for song in songs():
        drums = part_of(song, "drums")
        assert drums is not None
        starts = np.array([note.start for note in drums.notes]) - lead_in(song)
        beat = 60 / song.bpm
        kicks = starts[[note.pitch == KEYS["kick"] for note in drums.notes]]
        for times in (starts, kicks):
            phases = times / beat % 1
            from_beat = np.minimum(phases, 1 - phases) * beat
            near = from_beat < 0.03
            assert near.mean() > 0.1, song.seed
            assert np.sqrt(np.mean(from_beat[near] ** 2)) < 0.012, song.seed
        if STYLES[song.style].machine:
            sixteenths = starts / beat * 4 % 1
            straight = np.minimum(sixteenths, 1 - sixteenths) * beat / 4
            swing = beat / 2 * 0.1  # sixteenths may swing, rolls are thirty-seconds
            assert np.mean(straight < swing + 0.005) > 0.85, song.seed


def test_stems_sound_together_and_each_is_silent_somewhere() -> None:
    together = []
    for song in songs():
        rows = [sounding(song, stem) for stem in STEMS if part_of(song, stem)]
        assert all(row[: int(song.sections[-1].start / 0.25)].mean() > 0.15 for row in rows), song.seed
        length = bar_seconds(song) / 0.25
        for row in rows:
            before_the_end = row[: -int(4 / 0.25)]
            silent = np.diff(np.flatnonzero(np.concatenate([[True], before_the_end, [True]]))) - 1
            assert silent.max() >= min(0.4 * length, 3), song.seed  # half a bar or more, or what rings in it
        together.append(np.mean(np.all(rows, axis=0)))
    assert np.median(together) > 0.5
    assert np.mean(np.array(together) > 0.3) > 0.85


def test_bars_recur_and_fills_exist() -> None:
    fills = 0
    for song in songs():
        length, lead = bar_seconds(song), lead_in(song)
        for stem in ("drums", "bass"):
            part = part_of(song, stem)
            if part is None:
                assert stem == "bass"
                continue
            bars: dict[int, set[tuple[int, int]]] = {}
            for note in part.notes:
                step = round((note.start - lead) / length * song.beats * 4)
                bars.setdefault(step // (song.beats * 4), set()).add((step % (song.beats * 4), note.pitch))
            alike = [
                max((len(hits & bars[bar]) / len(hits | bars[bar]) for bar in bars if bar != number), default=0.0)
                for number, hits in bars.items()
            ]
            assert np.mean(np.array(alike) > 0.75) > 0.5, (song.seed, stem)
            assert len({frozenset(bar) for bar in bars.values()}) > 3, (song.seed, stem)  # but not one bar for ever
            if stem == "drums":
                toms = {KEYS[name] for name in ("tom 1", "tom 2", "tom 3", "tom 4")}
                fills += sum(len({key for _, key in bar} & toms) > 1 for bar in bars.values())
    assert fills > 3 * len(songs())


def test_songs_differ_in_density_and_register() -> None:
    def density(song: Song, stem: str) -> float:
        return sum(len(part.notes) for part in song.parts if part.stem == stem) / song.seconds

    for stem, low, high in (("bass", 1.5, 4.0), ("drums", 4.5, 10.0), ("other", 5.0, 25.0)):
        rates = [density(song, stem) for song in songs()]
        assert np.percentile(rates, 10) < low < np.median(rates) < high < max(rates), stem
    heights = [np.median([note.pitch for note in part.notes]) for song in songs() if (part := part_of(song, "bass"))]
    assert min(heights) < 32
    assert max(heights) > 48
    assert len({song.tonic for song in songs()}) == 12
    assert {song.beats for song in songs()} == {3, 4}


def test_melodies_have_phrases_and_breath() -> None:
    for song in songs():
        voice = part_of(song, "vocals")
        if voice is None:
            continue
        gaps = np.array([b.start - a.start - a.length for a, b in zip(voice.notes, voice.notes[1:], strict=False)])
        assert np.sum(gaps > 0.3) >= 5, song.seed
        steps = np.abs(np.diff([note.pitch for note in voice.notes]))
        assert np.mean(steps <= 4) > 0.5, song.seed
        assert len({note.pitch for note in voice.notes}) >= 4, song.seed
