"""Where the synthesizer and machines' kick drums stand in for SoundFonts and files: in parts, kits and licences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from demix.config import SAMPLE_RATE
from demix.generate import mix as mixing
from demix.generate.compose import write_song
from demix.generate.drum_kits import ELECTRONIC_PROGRAMS, Kit, draw_kit
from demix.generate.fonts import Font
from demix.generate.machine_kick import MachineKick
from demix.generate.mix import Instruments
from demix.generate.note_bank import NoteBank, Wave
from demix.generate.part_player import play_part
from demix.generate.score import Note
from demix.generate.styles import STYLES
from demix.generate.synth import Patch
from demix.generate.timbre_choice import draw_timbre
from demix.generate.timbres import Timbre

FONT = Font("none", Path("none.sf2"), "none", "MIT: a font that is nowhere")  # whoever plays it fails
KICK = MachineKick(hertz=50.0, drop=1.0, drop_seconds=0.02, decay_seconds=0.4, click=0.1, drive=0.0)


class Beeps(NoteBank):
    """A bank whose notes are all the same beep."""

    def note(self, font: Font, bank: int, program: int, key: int, *, velocity: int, seconds: float) -> Wave:
        """Return half a second of 440 Hz."""
        return np.sin(2 * np.pi * 440 / SAMPLE_RATE * np.arange(SAMPLE_RATE // 2), dtype=np.float32)[None]


def kit(bank: NoteBank, seed: int) -> Kit:
    return draw_kit(
        25, fonts=[FONT], drum_fonts=(), files=(), bank=bank, width=0.0, tilt=((100.0, 0.0),),
        rng=np.random.default_rng(seed),
    )  # fmt: skip


@pytest.mark.parametrize("takes", [1, 2])
def test_a_part_with_a_patch_is_played_by_it_in_its_places(tmp_path: Path, takes: int) -> None:
    notes = [Note(0.5 + 0.8 * place, 0.4, key, 90) for place, key in enumerate((45, 52, 40))]
    timbre = Timbre(FONT, 0, 38, patch=Patch("saw"), takes=takes, wide=True)
    for take in range(takes):
        wave = play_part(notes, timbre, NoteBank(tmp_path), samples=3 * SAMPLE_RATE, take=take)
        assert wave.shape == (1, 3 * SAMPLE_RATE)
        peak = np.abs(wave).max()
        for note in notes:
            start, end = round(note.start * SAMPLE_RATE), round((note.start + 0.4) * SAMPLE_RATE)
            assert np.abs(wave[0, start - 3000 : start - 1500]).max() < 0.01 * peak  # takes are some ms early or late
            piece = wave[0, start + 1500 : end]
            hertz = np.fft.rfftfreq(1 << 17, 1 / SAMPLE_RATE)
            loudest = hertz[np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 17)).argmax()]
            assert loudest == pytest.approx(440 * 2 ** ((note.pitch - 69) / 12), rel=0.02)
    soft, loud = (
        play_part([replace(notes[0], velocity=each)], timbre, NoteBank(tmp_path), samples=SAMPLE_RATE)
        for each in (1, 127)
    )
    assert 0 < np.abs(soft).max() < 0.01 * np.abs(loud).max()


def test_a_kick_of_a_machine_rings_on_and_needs_no_licence(tmp_path: Path) -> None:
    kits = [kit(Beeps(tmp_path), seed) for seed in range(40)]
    machines = [each for each in kits if isinstance(each.pieces["kick"].kit, MachineKick)]
    assert 12 < len(machines) < 36
    for each in machines[:3]:
        assert each.sources() == [FONT.licence]  # of the other pieces
        kick = replace(each.pieces["kick"], kit=KICK, tune=1.0, filtered=np.eye(1, 2048, dtype=np.float32).repeat(2, 0))
        alone = Kit({"kick": kick}, 0.0, NoteBank(tmp_path))
        assert alone.sources() == []
        for key in (35, 36):
            first, second = (level(alone.hit(key, 100), at) for at in (0.4, 1.0))
            assert first / second == pytest.approx(np.exp(0.6 / 0.4), rel=0.1)  # as it decays, not damped or cut
            assert np.array_equal(alone.hit(key, 1), alone.hit(key, 127))  # machines have one sound


def level(wave: Wave, seconds: float) -> float:
    piece = wave[0, round(seconds * SAMPLE_RATE) :][:1764]  # two periods
    return float(np.sqrt(np.square(piece).mean()))


def test_other_kits_are_damped(tmp_path: Path) -> None:
    drawn = kit(Beeps(tmp_path), 0)
    pieces = [piece for piece in drawn.pieces.values() if not isinstance(piece.kit, MachineKick)]
    assert np.isfinite([piece.damp_seconds for piece in pieces]).all()


@pytest.mark.parametrize(("patch", "fonts"), [(None, True), (Patch("saw"), False)])
def test_a_font_is_named_where_it_plays_and_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patch: Patch | None, fonts: bool
) -> None:
    def timbre(*_: object, **__: object) -> Timbre:
        return Timbre(FONT, 0, 38, patch=patch, curve=((100.0, 0.0),))

    monkeypatch.setattr(mixing, "draw_timbre", timbre)
    song = write_song(1)
    parts = tuple(replace(part, notes=part.notes[:4]) for part in song.parts if part.stem in ("bass", "other"))
    silence = np.zeros((2, 4 * SAMPLE_RATE), np.float32)
    instruments = Instruments([FONT], (), (), (), Beeps(tmp_path))
    _, sources = mixing.mix(replace(song, parts=parts), silence, instruments, np.random.default_rng(0))
    assert sources == ([FONT.licence] if fonts else [])


def test_machines_play_kits_that_fonts_have_and_that_are_electronic() -> None:
    kits = {style.kit for style in STYLES.values()}
    assert kits <= {0, 8, 16, 24, 25, 32, 40}  # General MIDI has no other that sounds
    assert all(STYLES[name].kit in ELECTRONIC_PROGRAMS for name in ("house", "techno", "trap"))


def test_a_bass_of_the_synthesizer_has_a_chorus_as_often_as_one_of_a_font() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_timbre(38, "bass", fonts=[FONT], width=0.0, rng=rng) for _ in range(600)]
    for patched in (True, False):
        of_kind = [each.chorus is not None for each in drawn if (each.patch is not None) == patched]
        assert 0.2 < np.mean(of_kind) < 0.4
