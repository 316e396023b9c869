"""SoundFont notes: the pitch that was asked for, the same samples each time, at their place in a part."""

from pathlib import Path

import numpy as np
import pytest

from demix.config import SAMPLE_RATE
from demix.errors import DemixError
from demix.generate.fonts import Font, find_fonts
from demix.generate.note_bank import CLASSES_SECONDS, NoteBank, nearest_layer
from demix.generate.part_player import play_part
from demix.generate.score import Note
from demix.generate.timbres import Timbre

try:
    FONTS = find_fonts()
except DemixError:
    FONTS = ()
pytestmark = pytest.mark.skipif(not FONTS, reason="no SoundFont is installed")
PROGRAMS = {"piano": 0, "guitar": 27, "bass": 33, "saw": 81}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> NoteBank:
    return NoteBank(tmp_path_factory.mktemp("notes"))


def pitch_of(wave: np.ndarray, near: float) -> float:
    """The frequency within a whole tone of `near` at which a wave repeats best."""
    mono = wave.mean(axis=0)[2000 : 2000 + SAMPLE_RATE // 2]
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 1 << 18)) ** 2
    correlation = np.fft.irfft(spectrum)
    low, high = SAMPLE_RATE / (near * 2 ** (2 / 12)), SAMPLE_RATE / (near * 2 ** (-2 / 12))
    lags = np.arange(int(low), int(high) + 2)
    return SAMPLE_RATE / float(lags[np.argmax(correlation[lags])])


@pytest.mark.parametrize("font", FONTS, ids=lambda font: font.name)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_note_has_its_pitch(bank: NoteBank, font: Font, program: int) -> None:
    for key in (40, 52):
        wave = bank.note(font, 0, program, key, velocity=100, seconds=1.0)
        hertz = 440 * 2 ** ((key - 69) / 12)
        assert abs(12 * np.log2(pitch_of(wave, hertz) / hertz)) < 0.3


def test_a_note_is_the_same_whatever_was_played_before(tmp_path: Path) -> None:
    orders = ([(33, 40), (0, 60), (48, 52)], [(48, 52), (0, 61), (0, 60), (33, 45), (33, 40)])
    heard = []
    for number, order in enumerate(orders):
        bank = NoteBank(tmp_path / str(number))
        for program, key in order:
            bank.note(FONTS[-1], 0, program, key, velocity=100, seconds=0.4)
        heard.append([bank.note(FONTS[-1], 0, *each, velocity=100, seconds=0.4) for each in orders[0]])
    for one, other in zip(*heard, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_kept_note_is_read_and_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = NoteBank(tmp_path).note(FONTS[0], 0, 0, 60, velocity=80, seconds=0.4)
    monkeypatch.setattr("demix.generate.note_bank.Player", None)
    np.testing.assert_array_equal(NoteBank(tmp_path).note(FONTS[0], 0, 0, 60, velocity=85, seconds=0.4), first)
    assert len(list(tmp_path.rglob("*.note"))) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_memory_is_bounded(tmp_path: Path) -> None:
    bank = NoteBank(tmp_path, memory_bytes=400_000)
    for key in range(40, 52):
        bank.note(FONTS[0], 0, 33, key, velocity=100, seconds=0.4)
        assert sum(wave.nbytes for wave in bank._held.values()) == bank._bytes <= 400_000
    assert 1 <= len(bank._held) < 12


@pytest.mark.parametrize("shift", [0, 3])
def test_notes_of_a_part_sound_at_their_places_with_their_pitches(bank: NoteBank, shift: int) -> None:
    notes = [Note(0.5 + 0.8 * place, 0.5, key, 90) for place, key in enumerate((45, 52, 48, 40))]
    timbre = Timbre(FONTS[-1], 0, 33, shift=shift)
    wave = play_part(notes, timbre, bank, samples=4 * SAMPLE_RATE)
    assert wave.shape == (1, 4 * SAMPLE_RATE)
    peak = np.abs(wave).max()
    for note in notes:
        start = round(note.start * SAMPLE_RATE)
        before, after = wave[0, start - 2000 : start - 20], wave[0, start : start + 2000]
        assert np.abs(before).max() < 0.02 * peak
        assert np.abs(after).max() > 0.3 * peak
        hertz = 440 * 2 ** ((note.pitch - 69) / 12)
        assert abs(12 * np.log2(pitch_of(wave[:, start : start + 25000], hertz) / hertz)) < 0.4


def test_a_louder_note_is_louder_without_jumps_between_layers(bank: NoteBank) -> None:
    timbre = Timbre(FONTS[-1], 0, 27, dynamics=2.0)
    waves = [play_part([Note(0, 0.5, 52, each)], timbre, bank, samples=SAMPLE_RATE) for each in range(20, 128, 4)]
    levels = 10 * np.log10([np.square(wave).mean() for wave in waves])
    assert levels[-1] - levels[0] > 15
    assert np.diff(levels).min() > -2.5
    assert {nearest_layer(each) for each in range(1, 128)} == {45, 80, 112}


def test_a_note_that_is_too_long_is_held_as_long_as_there_is(bank: NoteBank) -> None:
    wave = play_part([Note(0, 30.0, 52, 100)], Timbre(FONTS[0], 0, 19), bank, samples=20 * SAMPLE_RATE)
    loud = np.flatnonzero(np.abs(wave[0]) > 0.001)
    assert CLASSES_SECONDS[-1] <= loud[-1] / SAMPLE_RATE <= CLASSES_SECONDS[-1] + 0.8


def test_without_a_soundfont_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(
        DemixError, match=r"expected a SoundFont .* found none; apt-get install musescore-general-soundf"
    ):
        find_fonts([tmp_path])


def test_a_damaged_soundfont_is_named(tmp_path: Path) -> None:
    (tmp_path / "FluidR3_GM.sf2").write_bytes(b"RIFF no font")
    font = find_fonts([tmp_path])[0]
    with pytest.raises(DemixError, match="expected a SoundFont that FluidSynth reads"):
        NoteBank(tmp_path / "notes").note(font, 0, 0, 60, velocity=100, seconds=0.4)
