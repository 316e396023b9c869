"""Songs are sung on the beat, in tune and level, from the recordings that may be used and no others."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix.errors import DemixError
from demix.generate import phrase_bank
from demix.generate.licences import folder_licence
from demix.generate.phrase_bank import TAKES, Bank, open_bank
from demix.generate.phrases import frame_power
from demix.generate.score import Note, Part, Section, Song
from demix.generate.singers import LEAD_DBFS, PEAK, render, sing
from demix.generate.voice_choice import SHIFTS, Choice, Slot, choose, chord_table, draw_singer, find_slots
from demix.generate.voice_lines import HARMONIES, arrange

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]
SONGS = Path(__file__).parents[1] / "songs"
RATE = 44_100


def read(song: str, stem: str, start: float, seconds: float) -> Audio:
    path = SONGS / song / f"{stem}.ogg"
    return soundfile.read(path, start=round(start * RATE), frames=round(seconds * RATE), dtype="float32")[0].T


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Ten seconds each of two voices."""
    folder = tmp_path_factory.mktemp("voices")
    for song, start in (("francium", 30), ("hydrogen", 0)):
        (folder / song).mkdir()
        soundfile.write(folder / song / "vocals.wav", read(song, "vocals", start, 10).T, RATE, subtype="FLOAT")
    return open_bank([folder], cache=folder.parent / "cache")


def make_song(*, seed: int = 0, tonic: int = 0, bpm: float = 120.0) -> Song:
    """Sixteen bars in a major key: verse and chorus twice, each two sung phrases of a bar and a half."""
    bar = 240 / bpm
    sections = tuple(Section(name, index * 4 * bar, 4 * bar, 1.0) for index, name in enumerate(("verse", "chorus") * 2))
    sung = [
        Note(section.start + (2 * half + beat / 4) * bar, bar / 4, 60 + tonic, 90)
        for section in sections
        for half in range(2)
        for beat in range(6)
    ]
    chords = [
        Note(index * bar, bar, 48 + tonic + root + step, 80)
        for index in range(16)
        for root in ((0, 5, 7, 0)[index % 4],)
        for step in (0, 4, 7)
    ]
    parts = (Part("voice", "vocals", "melody", 0, tuple(sung)), Part("piano", "other", "chords", 0, tuple(chords)))
    return Song(seed, "test", bpm, 4, tonic, (0, 2, 4, 5, 7, 9, 11), sections, parts, 16 * bar + 1)


def test_a_phrase_has_the_pitch_and_the_length_it_was_meant_to_have(bank: Bank) -> None:
    checked = 0
    for source in bank.sources:
        steady = [row for row in range(len(source.phrases)) if source.phrases["voiced"][row] > 0.8]
        for row, take, shift in zip(
            steady, (*TAKES, *TAKES), (-2.6, 3.2, 1.0, -1.4, 2.0, 0.3, -3.0, 0.0), strict=False
        ):
            choice = Choice(source, row, take, shift)
            heard = render(choice, one_channel=True)
            assert heard.shape[1] / RATE == pytest.approx(choice.seconds, rel=0.01, abs=0.02)
            hertz = librosa.pyin(heard[0, ::2], fmin=65, fmax=1200, sr=RATE // 2, frame_length=2048, hop_length=1024)[0]
            track = source.track(row)  # the same hop, 0.046 s; frame by frame, as a phrase has many notes
            same = np.rint(np.arange(len(track)) * choice.pace).astype(int)
            moved = (69 + 12 * np.log2(hertz[same[same < len(hertz)]] / 440)) - track[same < len(hertz)]
            assert np.nanmedian(moved) == pytest.approx(shift, abs=0.3)
            checked += 1
    assert checked >= 4


def test_chosen_phrases_are_in_tune(bank: Bank) -> None:
    song = make_song()
    for line in arrange(song, bank, np.random.default_rng(1)):
        row = line.choice.source.phrases[line.choice.phrase]
        in_tune = line.choice.shift + float(row["tuning"])
        assert abs(in_tune - round(in_tune)) < 0.15  # doubles are up to 0.14 off
        assert min(SHIFTS) - 4.2 <= in_tune <= max(SHIFTS) + 7.2  # a second voice is up to seven above


def test_singing_is_heard_from_where_a_slot_begins_and_not_after_the_last(bank: Bank) -> None:
    song = make_song()
    slots = find_slots(song, song.parts[0].notes)
    assert len(slots) == 8
    for seed in range(4):
        power = frame_power(sing(song, bank, np.random.default_rng(seed)))
        for slot in slots:
            first = round(slot.start * 100)
            loud = np.percentile(power[first : first + 200], 90) / 16
            assert (power[first : first + 30] > loud).any()
        assert power[round((slots[-1].until + 0.05) * 100) :].max() == 0


def test_attacks_are_where_the_slots_begin(bank: Bank) -> None:
    song = make_song()
    starts = [slot.start for slot in find_slots(song, song.parts[0].notes)]
    lines = arrange(song, bank, np.random.default_rng(2))
    for start in starts:
        assert min(abs(line.beat - start) for line in lines) < 1e-9
    for line in lines:
        assert line.longest > line.choice.attack
        off = (line.beat + 1e-9) % 0.5
        assert off < 0.035  # on a beat; doubles and second voices are up to 30 ms late


def test_a_slot_ends_before_the_next_begins_and_a_breath_ends_a_slot() -> None:
    song = make_song()
    notes = [Note(0.0, 0.5, 60, 90), Note(0.6, 0.4, 62, 90), Note(2.0, 1.0, 64, 90)]
    assert find_slots(song, notes) == [Slot(0.0, 1.0, 2.0, 0), Slot(2.0, 3.0, 4.0, 0)]
    assert find_slots(song, []) == []


def test_the_same_seed_sings_the_same_and_another_one_does_not(bank: Bank) -> None:
    song = make_song()
    one, two, other = (sing(song, bank, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.01


def test_levels_are_even(bank: Bank) -> None:
    song = make_song()
    for seed in range(6):
        stem = sing(song, bank, np.random.default_rng(seed))
        assert stem.dtype == np.float32
        assert stem.shape == (2, round(song.seconds * RATE))
        assert np.abs(stem).max() <= PEAK + 1e-6
        power = frame_power(stem)
        loud = 10 * np.log10(power[power > power.max() / 16].mean())
        assert LEAD_DBFS - 6 < loud < LEAD_DBFS + 8  # added voices make it louder, a lowered peak softer


def test_each_phrase_is_brought_to_the_same_level(bank: Bank) -> None:
    for source in bank.sources:
        for row in range(len(source.phrases)):
            for one_channel in (False, True):
                power = frame_power(render(Choice(source, row, 0, 0.0), one_channel=one_channel))
                blocks = power[: len(power) // 5 * 5].reshape(-1, 5).mean(axis=1)
                loud = 10 * np.log10(blocks[blocks >= blocks.max() / 16].mean())
                assert loud == pytest.approx(LEAD_DBFS, abs=0.5)


def test_a_song_without_melody_is_silent(bank: Bank) -> None:
    song = make_song()
    stem = sing(replace(song, parts=song.parts[1:]), bank, np.random.default_rng(0))
    assert stem.shape == (2, round(song.seconds * RATE))
    assert not stem.any()


def test_choruses_repeat_their_phrases(bank: Bank) -> None:
    song = make_song()
    for seed in range(5):
        lines = arrange(song, bank, np.random.default_rng(seed))
        choruses = [
            {
                (line.choice.source.name, line.choice.phrase, line.choice.take, round(line.beat - start, 6))
                for line in lines
                if start <= line.beat < start + 8 and line.gain_db == 0
            }
            for start in (8.0, 24.0)
        ]
        assert choruses[0] == choruses[1]
        assert choruses[0]


def test_second_voices_last_as_long_as_the_first(bank: Bank) -> None:
    song = make_song()
    seen = set()
    for seed in range(30):
        lines = arrange(song, bank, np.random.default_rng(seed))
        leads = {
            (line.choice.source.name, line.choice.phrase, line.choice.take): line for line in lines if line.gain_db == 0
        }
        for line in lines:
            for step in HARMONIES:
                lead = leads.get((line.choice.source.name, line.choice.phrase, line.choice.take - step))
                if lead is not None and line.choice.shift == lead.choice.shift + step:
                    assert line.choice.seconds == pytest.approx(lead.choice.seconds)
                    seen.add(step)
    assert len(seen) >= 2


def test_phrases_go_with_the_chords_better_than_in_other_keys(bank: Bank) -> None:
    own, others = [], []
    for tonic in range(0, 12, 2):
        song = make_song(tonic=tonic)
        table, rng = chord_table(song), np.random.default_rng(tonic)
        for slot in find_slots(song, song.parts[0].notes):
            choice = choose(draw_singer(bank, rng), song, slot, table, rng)
            row = choice.source.phrases[choice.phrase]
            heard = np.roll(row["classes"], round(choice.shift + float(row["tuning"])))
            goes = table[:, int(slot.start * 20) : int((slot.start + choice.seconds) * 20)].mean(axis=1)
            own.append(float(heard @ goes))
            others += [float(np.roll(heard, key) @ goes) for key in range(1, 12)]
    assert np.mean(own) > np.mean(others) + 0.15


def write_voice(folder: Path, *, start: float = 30, seconds: float = 3) -> Path:
    folder.mkdir(parents=True)
    soundfile.write(folder / "vocals.wav", read("francium", "vocals", start, seconds).T, RATE)
    return folder


def names(bank: Bank) -> set[str]:
    return {source.name.split("/")[1] for source in bank.sources}


def test_the_shipped_set_may_be_called_by_its_name() -> None:
    assert {track.split for track in phrase_bank._songs(Path("free"))} == {"train"}
    assert folder_licence(Path("free")).startswith("CC0 1.0")


def test_only_songs_to_train_on_are_used(tmp_path: Path) -> None:
    for split, song in (("train", "one"), ("valid", "two"), ("test", "three")):
        write_voice(tmp_path / "set" / split / song, seconds=1)
    assert names(open_bank([tmp_path / "set"], cache=tmp_path / "cache")) == {"one"}
    loose = tmp_path / "loose"
    write_voice(loose / "four", seconds=1)
    write_voice(loose / "five", seconds=1)
    assert names(open_bank([loose], cache=tmp_path / "cache")) == {"four", "five"}
    assert names(open_bank([loose], cache=tmp_path / "cache", exclude=["five"])) == {"four"}
    assert names(open_bank([loose / "five"], cache=tmp_path / "cache")) == {"five"}
    with pytest.raises(DemixError, match="found none that sounds"):
        open_bank([tmp_path / "set"], cache=tmp_path / "cache", exclude=["one"])


@pytest.mark.parametrize(("name", "split"), [("lithium", "test"), ("Sodium", "valid")])
def test_songs_kept_for_scores_are_refused(name: str, split: str, tmp_path: Path) -> None:
    song = write_voice(tmp_path / "album" / name, seconds=1)
    write_voice(tmp_path / "album" / "potassium", seconds=1)
    for folder in (tmp_path / "album", song):
        with pytest.raises(
            DemixError, match=rf"{name}: expected .* kept for {split}; name the folders of the other songs"
        ):
            open_bank([folder], cache=tmp_path / "cache")
    assert names(open_bank([tmp_path / "album"], cache=tmp_path / "cache", exclude=[name])) == {"potassium"}


def test_the_cache_is_used_until_the_recording_changes(tmp_path: Path) -> None:
    song = write_voice(tmp_path / "set" / "one")
    measured: list[str] = []
    first = open_bank([tmp_path / "set"], cache=tmp_path / "cache", on_source=measured.append)
    again = open_bank([tmp_path / "set"], cache=tmp_path / "cache", on_source=measured.append)
    assert measured == ["set/one"]
    assert first.sources[0].phrases.tobytes() == again.sources[0].phrases.tobytes()

    shutil.rmtree(song)
    write_voice(song, start=34, seconds=4)
    changed = open_bank([tmp_path / "set"], cache=tmp_path / "cache", on_source=measured.append)
    assert len(measured) == 2
    assert changed.sources[0].phrases["samples"].sum() != first.sources[0].phrases["samples"].sum()

    os.utime(song / "vocals.wav", (1, 1))
    open_bank([tmp_path / "set"], cache=tmp_path / "cache", on_source=measured.append)
    assert len(measured) == 3
    assert len(list((tmp_path / "cache").iterdir())) == 1  # what it was is not kept


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    write_voice(tmp_path / "set" / "one", seconds=2)
    first = open_bank([tmp_path / "set"], cache=tmp_path / "cache").sources[0]
    for file in ("phrases.npy", "take+0.npy"):
        (damaged,) = (tmp_path / "cache").glob(f"*/{file}")
        damaged.write_bytes(damaged.read_bytes()[:40])
        again = open_bank([tmp_path / "set"], cache=tmp_path / "cache").sources[0]
        assert first.phrases.tobytes() == again.phrases.tobytes()
        np.testing.assert_array_equal(first.audio(0, 0), again.audio(0, 0))


def test_broken_and_silent_recordings_are_one_sentence(tmp_path: Path, make_folder_song: Make) -> None:
    (tmp_path / "broken" / "song").mkdir(parents=True)
    (tmp_path / "broken" / "song" / "vocals.wav").write_bytes(b"RIFF, but no more")
    make_folder_song(tmp_path / "silent" / "song", vocals=np.zeros((2, RATE), dtype=np.float32))
    make_folder_song(tmp_path / "nan" / "song", vocals=np.full((2, RATE), np.nan, dtype=np.float32))
    make_folder_song(tmp_path / "drums" / "song", drums=np.ones((2, RATE), dtype=np.float32))
    make_folder_song(tmp_path / "slow" / "song", rate=22_050, vocals=np.ones((2, RATE), dtype=np.float32))
    for name in ("broken", "silent", "nan", "drums", "slow", "nowhere"):
        with pytest.raises(DemixError, match=name) as caught:
            open_bank([tmp_path / name], cache=tmp_path / "cache")
        assert "\n" not in str(caught.value)
    with pytest.raises(DemixError, match="expected recordings of singing"):
        open_bank([], cache=tmp_path / "cache")


def test_what_another_stem_plays_too_is_not_sung(tmp_path: Path, make_folder_song: Make) -> None:
    voice, guitar = read("francium", "vocals", 30, 3), read("potassium", "other", 10, 3)
    pause = np.zeros((2, RATE), dtype=np.float32)
    vocals = np.concatenate([voice, pause, guitar], axis=1)
    other = np.concatenate([guitar[:, ::-1], pause, guitar], axis=1)
    make_folder_song(tmp_path / "set" / "song", vocals=vocals, other=other)
    (source,) = open_bank([tmp_path / "set"], cache=tmp_path / "cache").sources
    assert len(source.phrases)
    assert (source.phrases["start"] + source.phrases["samples"]).max() <= 3.5 * RATE
