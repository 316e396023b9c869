"""Generated songs as sound: stems that add up, one master for all, drums where the score has them."""

from pathlib import Path

import numpy as np
import pytest

from demix.config import SAMPLE_RATE, STEMS
from demix.errors import DemixError
from demix.generate import space
from demix.generate.compose import write_song
from demix.generate.drum_kits import draw_kit
from demix.generate.drum_loops import find_loops
from demix.generate.drum_sources import ONE_SHOTS, FileKit, free_licence, hydrogen_kits, key_of, one_shots
from demix.generate.effects import chorus, compress, drive, level, peaks
from demix.generate.fonts import find_drum_fonts, find_fonts
from demix.generate.make import shorten
from demix.generate.mix import PEAK, Instruments, master, mix
from demix.generate.note_bank import NoteBank
from demix.generate.part_player import play_drums
from demix.generate.score import Note, Song

try:
    FONTS = find_fonts()
except DemixError:
    FONTS = ()
needs_fonts = pytest.mark.skipif(not FONTS, reason="no SoundFont is installed")
SECONDS = 12.0


@pytest.fixture(scope="module")
def instruments(tmp_path_factory: pytest.TempPathFactory) -> Instruments:
    bank = NoteBank(tmp_path_factory.mktemp("notes"))
    return Instruments(FONTS, find_drum_fonts(), [*hydrogen_kits(), *one_shots()], find_loops(), bank)


def late(song: Song) -> Song:
    """The song's first seconds after its intro, in which most instruments play."""
    return shorten(song, song.sections[0].length + SECONDS)


@needs_fonts
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_stems_add_up_to_a_mixture_below_full_scale_and_come_again(instruments: Instruments, seed: int) -> None:
    song = late(write_song(seed))
    noise = np.random.default_rng(seed).standard_normal((2, round(song.seconds * SAMPLE_RATE))).astype(np.float32) * 0.1
    stems, sources = mix(song, noise, instruments, np.random.default_rng(seed))
    assert stems.shape == (4, 2, noise.shape[1])
    assert stems.dtype == np.float32
    assert np.isfinite(stems).all()
    assert 0.1 < np.abs(stems.sum(axis=0)).max() <= PEAK * 1.0001
    assert np.abs(stems).max() <= PEAK * 1.0001
    written = {part.stem for part in song.parts} | {"vocals"}
    assert {stem for stem, wave in zip(STEMS, stems, strict=True) if wave.any()} == written
    assert sources
    again, _ = mix(song, noise, instruments, np.random.default_rng(seed))
    np.testing.assert_array_equal(again, stems)
    other, _ = mix(song, noise, instruments, np.random.default_rng(seed + 100))
    assert np.abs(other - stems).max() > 0.01


@needs_fonts
@pytest.mark.parametrize("seed", [3, 11])
def test_a_song_of_one_channel_is_the_same_on_both_sides(instruments: Instruments, seed: int) -> None:
    assert np.random.default_rng(seed).random() < 0.22  # which the desk takes for one channel
    song = shorten(write_song(seed), 8.0)
    silence = np.zeros((2, round(song.seconds * SAMPLE_RATE)), np.float32)
    stems, _ = mix(song, silence, instruments, np.random.default_rng(seed))
    assert stems[STEMS.index("drums")].any()
    np.testing.assert_allclose(stems[:, 0], stems[:, 1], atol=1e-5)


def test_the_master_is_one_gain_for_all_stems() -> None:
    rng = np.random.default_rng(3)
    envelope = np.repeat(rng.uniform(0.01, 1, 60), SAMPLE_RATE // 10)
    before = (rng.standard_normal((4, 2, len(envelope))) * envelope * 0.5 + 0.01).astype(np.float32)
    before[:, :, 100_000:100_040] *= 25  # what a limiter is for
    moved = []
    for seed in range(6):
        after = before.copy()
        master(after, np.random.default_rng(seed))
        gains = after / before
        np.testing.assert_allclose(gains, np.broadcast_to(gains[:1, :1], gains.shape), rtol=1e-4)
        moved.append(gains.max() / gains.min())
        assert np.abs(after.sum(axis=0)).max() <= PEAK * 1.0001
    assert max(moved) > 1.2  # it does something


@needs_fonts
@pytest.mark.parametrize("program", [0, 25])
def test_hits_sound_where_the_score_has_them(instruments: Instruments, program: int) -> None:
    notes = [Note(0.5 + 0.5 * place, 0.1, key, 110) for place, key in enumerate((36, 38, 36, 43, 38))]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        kit = draw_kit(
            program,
            fonts=instruments.fonts,
            drum_fonts=instruments.drum_fonts,
            files=instruments.kits,
            bank=instruments.bank,
            width=1.0,
            tilt=((100.0, 0.0),),
            rng=rng,
        )
        wave = play_drums(notes, kit, samples=4 * SAMPLE_RATE, dynamics=1.0)
        for note in notes:
            start = round(note.start * SAMPLE_RATE)
            before, after = (level(wave[:, at : at + 2205]) for at in (start - 2300, start))
            assert after > 1.5 * before
        assert not wave[:, : SAMPLE_RATE // 2 - 100].any()
        assert kit.sources()


@needs_fonts
def test_a_closed_hat_ends_an_open_one(instruments: Instruments) -> None:
    kit = draw_kit(
        0, fonts=FONTS[:1], drum_fonts=(), files=(), bank=instruments.bank, width=0.0, tilt=((100.0, 0.0),),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    free, choked = (
        play_drums([Note(0.0, 0.1, 46, 120), *closed], kit, samples=SAMPLE_RATE, dynamics=1.0)
        for closed in ([], [Note(0.15, 0.1, 42, 1)])
    )
    after = slice(round(0.2 * SAMPLE_RATE), round(0.4 * SAMPLE_RATE))
    assert np.abs(choked[:, after]).max() < 0.3 * np.abs(free[:, after]).max()


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("This work is licensed under the Creative Commons 0 License.", "CC0"),
        ("Attribution-Share Alike 3.0 United States", "CC BY-SA"),
        ("Creative Commons - Attribution-ShareAlike 3.0 Unported", "CC BY-SA"),
        ("cc-by ==> http://creativecommons.org/licenses/by/3.0/", "CC BY"),
        ("This drumkit is distributed under the GPL version 2 license", "GPL"),
        ("Creative Commons Attribution-NonCommercial 3.0", None),
        ("Attribution-NonCommercial-ShareAlike 4.0", None),
        ("Creative Commons Attribution 4.0, non-commercial use only", None),
        ("all rights reserved", None),
        ("", None),
    ],
)
def test_only_free_licences_are_known(text: str, licence: str | None) -> None:
    assert free_licence(text) == licence


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Kick (Tama Superstar 22\")", 36), ("Snare Rimshot (Pearl)", 40), ("Stick", 37), ("Hi Hat Closed", 42),
        ("Hi-Hat Open (Paiste)", 46), ("Pedal HH", 44), ("Floor Tom", 43), ("Tom Hi", 50), ("Crash Left", 49),
        ("Ride Bell", 53), ("Hand Clap", 39), ("Whistle", None), ("Djembe1 Bass", 36), ("VariBreaks Hat 1 Op", 46),
        ("Hat Closed Bs", 42), ("Hat Op Dirty", 46), ("Sabian Hat Pedal", 44),
    ],
)  # fmt: skip
def test_instruments_are_known_by_their_names(name: str, key: int | None) -> None:
    assert key_of(name) == key


def test_a_kit_without_a_free_licence_is_left_out(tmp_path: Path) -> None:
    for name, licence in (("free", "GPL"), ("unfree", "all rights reserved")):
        (tmp_path / name).mkdir()
        instruments = "".join(
            f"<instrument><name>{each}</name><layer><max>1</max><filename>a.wav</filename></layer></instrument>"
            for each in ("Kick", "Snare", "Closed HH")
        )
        (tmp_path / name / "a.wav").write_bytes(b"")
        text = f"<drumkit_info><name>{name}</name><license>{licence}</license>{instruments}</drumkit_info>"
        (tmp_path / name / "drumkit.xml").write_text(text)
    assert [(kit.name, kit.licence) for kit in hydrogen_kits(tmp_path)] == [("free", "GPL: free by None")]


def test_a_filter_does_what_its_curve_says() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 5 * SAMPLE_RATE)).astype(np.float32)
    curve = ((100.0, 6.0), (1000.0, -6.0), (8000.0, 3.0))
    out = space.convolve([(noise, space.response(curve))], samples=noise.shape[1])
    before, after = (np.abs(np.fft.rfft(wave[0])) ** 2 for wave in (noise, out))
    hertz = np.fft.rfftfreq(noise.shape[1], 1 / SAMPLE_RATE)
    for at, gain_db in curve:
        near = (hertz > at / 1.05) & (hertz < at * 1.05)
        assert 10 * np.log10(after[near].sum() / before[near].sum()) == pytest.approx(gain_db, abs=0.7)


def test_a_filter_keeps_the_bass_and_leaves_no_direct_current() -> None:
    times = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    for hertz, kept in ((0.0, 0.0), (41.2, 1.0), (440.0, 1.0)):  # the lowest E of a bass
        wave = np.cos(2 * np.pi * hertz * times, dtype=np.float32)[None]
        out = space.convolve([(wave, space.response(((100.0, 0.0),)))], samples=wave.shape[1])
        middle = slice(SAMPLE_RATE, 3 * SAMPLE_RATE)
        assert level(out[:1, middle]) / level(wave[:, middle]) == pytest.approx(kept, abs=0.1 if kept else 1e-4)


@pytest.mark.parametrize("taps", [3000, 60000])
def test_convolution_in_blocks_is_convolution(taps: int) -> None:
    from scipy.signal import fftconvolve

    rng = np.random.default_rng(1)
    waves = [rng.standard_normal((channels, 300_001)).astype(np.float32) for channels in (1, 2)]
    waves[0][:, 50_000:250_000] = 0
    filters = [rng.standard_normal((2, size)).astype(np.float32) / 50 for size in (taps, taps - 7)]
    out = space.convolve(list(zip(waves, filters, strict=True)), samples=300_001)
    whole = [
        fftconvolve(np.broadcast_to(wave, (2, 300_001)), each, axes=1)[:, :300_001]
        for wave, each in zip(waves, filters, strict=True)
    ]
    np.testing.assert_allclose(out, whole[0] + whole[1], atol=2e-3)


def test_effects_keep_lengths_and_levels() -> None:
    rng = np.random.default_rng(2)
    tone = np.sin(np.arange(3 * SAMPLE_RATE) * 0.05)[None].astype(np.float32) * 0.3
    wave = tone + rng.standard_normal((2, 3 * SAMPLE_RATE)).astype(np.float32) * 0.01
    driven = drive(wave, gain_db=20, bias=0.2, tight_hz=100)
    assert driven.shape == wave.shape
    assert level(driven) == pytest.approx(level(wave), rel=0.05)
    assert np.abs(driven).max() / level(driven) < 0.9 * np.abs(wave).max() / level(wave)
    assert chorus(wave[:1], hertz=1, depth_seconds=0.002, mix=0.4).shape == (2, wave.shape[1])
    steps = peaks(wave)
    assert steps.max() == np.abs(wave).max()
    loud = wave * np.repeat([1.0, 0.1, 1.0], SAMPLE_RATE).astype(np.float32)
    quiet = compress(loud.copy(), threshold_db=-30, ratio=4, seconds=0.02)
    gap = [
        20 * np.log10(level(each[:, :SAMPLE_RATE]) / level(each[:, SAMPLE_RATE : 2 * SAMPLE_RATE]))
        for each in (loud, quiet)
    ]
    assert gap[0] == pytest.approx(20, abs=0.5)
    assert 4 < gap[1] < 9  # a quarter of the decibels, but for the ends


def test_all_one_shot_names_are_percussion_keys() -> None:
    assert all(35 <= key <= 81 for key in ONE_SHOTS)
    assert all(isinstance(kit, FileKit) for kit in one_shots())
