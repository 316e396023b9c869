"""The synthesizer and machines' kick drums: in tune, without aliases, as loud and long as asked, drawn to vary."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import find_peaks

from demix.config import SAMPLE_RATE
from demix.generate.machine_kick import LONGEST_SECONDS, MachineKick, draw_machine_kick
from demix.generate.patches import SYNTHESIZERS, draw_patch
from demix.generate.synth import TAIL_SECONDS, Patch, play_note

WAVES = ("saw", "square", "pulse", "triangle", "sine", "fm")
OPEN = 60.0  # an edge that lets all pass


def spectrum(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hertz and levels in dB below the loudest."""
    levels = np.abs(np.fft.rfft(wave * np.blackman(len(wave))))
    return np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE), 20 * np.log10(levels / levels.max() + 1e-12)


@pytest.mark.parametrize("wave", WAVES)
@pytest.mark.parametrize("key", [28, 45, 69, 93])
def test_a_note_is_in_tune_and_has_no_aliases(wave: str, key: int) -> None:
    note = play_note(Patch(wave, width=1.0 if wave == "fm" else 0.3, index=1.5, edge=OPEN), key, velocity=90, seconds=1)
    hertz, levels = spectrum(note[0, SAMPLE_RATE // 10 : -SAMPLE_RATE // 10])
    tone = 440 * 2 ** ((key - 69) / 12)
    loud = hertz[find_peaks(levels, height=-45)[0]]
    cents = 1200 * np.log2(loud / (np.maximum(1, np.round(loud / tone)) * tone))
    assert len(loud)
    assert np.abs(cents).max() < 15  # what is loud is a harmonic


@pytest.mark.parametrize("key", [33, 57, 81])
def test_a_long_note_does_not_hiss(key: int) -> None:
    note = play_note(Patch("saw", edge=OPEN), key, velocity=90, seconds=12)[0]
    size = 1 << 16
    power = np.abs(np.fft.rfft(note[-size:] * np.blackman(size))) ** 2
    hertz, tone = np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 440 * 2 ** ((key - 69) / 12)
    between = np.abs(hertz - np.round(hertz / tone) * tone) > 6 * SAMPLE_RATE / size
    assert 10 * np.log10(power[between].sum() / power.sum()) < -58


def test_a_sub_oscillator_is_an_octave_lower_where_that_can_be_heard() -> None:
    for key, share in ((45, 0.5), (28, 1.0)):
        note = play_note(Patch("sine", sub=3.0), key, velocity=90, seconds=2)[0]
        hertz, levels = spectrum(note[4410:-4410])
        assert hertz[levels.argmax()] == pytest.approx(share * 440 * 2 ** ((key - 69) / 12), rel=0.02)


def test_no_key_is_hollow_in_all_patches_whose_voices_beat() -> None:
    def weakest(key: int) -> list[float]:
        one = play_note(Patch("sine"), key, velocity=90, seconds=0.1)[0]
        several = (play_note(Patch("sine", detune_cents=c), key, velocity=90, seconds=0.1)[0] for c in range(4, 14))
        return [float(np.abs(each[2000:]).max() / np.abs(one[2000:]).max()) for each in several]

    assert all(max(weakest(key)) > 0.8 for key in range(24, 61))


def test_a_square_has_odd_harmonics_and_a_saw_has_all() -> None:
    for wave, number in (("saw", 2), ("square", 3)):
        note = play_note(Patch(wave, edge=OPEN), 45, velocity=90, seconds=1)
        hertz, levels = spectrum(note[0, 4410:-4410])
        peaks = hertz[find_peaks(levels, height=-30)[0]]
        assert peaks[1] / peaks[0] == pytest.approx(number, rel=0.01)


def partials(patch: Patch, count: int) -> np.ndarray:
    """Levels in dB of the first harmonics of key 45, against the loudest."""
    hertz, levels = spectrum(play_note(patch, 45, velocity=90, seconds=2)[0, 4410:-4410])
    return np.array([levels[np.abs(hertz - 110 * number) < 4].max() for number in range(1, count + 1)])


def test_what_a_patch_says_is_heard() -> None:
    third = partials(Patch("pulse", width=1 / 3, edge=OPEN), 4)
    assert third[2] < -50 < third[[0, 1, 3]].min()  # a pulse of a third has no third harmonic
    modulated = partials(Patch("fm", width=3.0, index=1.0, edge=OPEN), 7)
    assert modulated[[2, 5]].max() < -50 < modulated[[0, 1, 3, 4, 6]].min()  # carrier 1 and modulator 3: 1 + 3n
    flat, bump = (partials(Patch("saw", edge=4.0, resonance=each), 5) for each in (0.7, 4.0))
    assert bump[3] - bump[0] > flat[3] - flat[0] + 12
    steady, beating = (play_note(Patch("sine", detune_cents=each), 69, velocity=90, seconds=2)[0] for each in (0, 20))
    hertz, levels = spectrum(beating[4410:])
    apart = hertz[find_peaks(levels, height=-12)[0]]
    assert apart == pytest.approx(440 * 2 ** (np.array([-20, 0, 20]) / 1200), rel=0.002)
    dropped = play_note(Patch("sine", drop=12.0, drop_seconds=0.05), 69, velocity=90, seconds=2)[0]
    early, late = (np.diff(np.signbit(dropped[at : at + 1000])).sum() for at in (100, 44_100))
    assert early > 1.5 * late
    assert np.diff(np.signbit(steady[44_100:45_100])).sum() == pytest.approx(late, abs=1)


def test_the_filter_closes_and_louder_notes_are_brighter() -> None:
    def brightness(patch: Patch, velocity: int = 90) -> float:
        wave = play_note(patch, 40, velocity=velocity, seconds=1)[0]
        power = np.abs(np.fft.rfft(wave)) ** 2
        return float((power * np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)).sum() / power.sum())

    patch = Patch("saw", edge=4.0)
    assert brightness(replace(patch, edge=1.5)) < brightness(patch) < brightness(replace(patch, edge=16.0))
    assert brightness(patch, 45) < brightness(patch, 112)
    swept = play_note(replace(patch, sweep=4.0, sweep_seconds=0.2), 40, velocity=90, seconds=2)[0]
    still = play_note(patch, 40, velocity=90, seconds=2)[0]
    assert np.abs(np.diff(swept[:4410])).max() > 2 * np.abs(np.diff(still[:4410])).max()
    assert np.allclose(np.abs(np.diff(swept[-4410:])).max(), np.abs(np.diff(still[-4410:])).max(), rtol=0.05)


def test_a_level_follows_velocity_and_envelope() -> None:
    patch = Patch("triangle", decay_seconds=0.1, sustain=0.0)
    soft, loud = (play_note(patch, 50, velocity=velocity, seconds=1)[0] for velocity in (50, 100))
    assert loud.shape == (round((1 + TAIL_SECONDS) * SAMPLE_RATE),)
    assert np.abs(loud).max() / np.abs(soft).max() == pytest.approx(4, rel=0.25)
    assert np.abs(loud[SAMPLE_RATE:]).max() < 1e-3 * np.abs(loud).max()
    swung = play_note(Patch("saw", edge=OPEN, detune_cents=9.0), 50, velocity=100, seconds=1)[0]
    assert np.abs(swung[:5]).max() < 0.1 * np.abs(swung).max()  # no click, though its voices begin anywhere
    held = play_note(replace(patch, sustain=1.0), 50, velocity=100, seconds=1)[0]
    assert np.abs(held[-4410:]).max() == pytest.approx(np.abs(held[4410:8820]).max(), rel=0.02)


def test_equal_patches_play_equal_notes() -> None:
    patch = Patch("saw", detune_cents=9.0, sub=0.4)
    assert np.array_equal(
        play_note(patch, 36, velocity=80, seconds=0.4), play_note(patch, 36, velocity=80, seconds=0.4)
    )


@pytest.mark.parametrize("role", ["bass", "lead", "chords", "arpeggio", "pad"])
def test_drawn_patches_can_be_heard_and_vary(role: str) -> None:
    rng = np.random.default_rng(0)
    patches = [patch for patch in (draw_patch(38, role, rng) for _ in range(60)) if patch is not None]
    assert 20 < len(patches) < 50
    assert len({patch.wave for patch in patches}) >= 3
    for patch in patches:
        wave = play_note(patch, 40 if role == "bass" else 64, velocity=90, seconds=0.4)
        assert np.isfinite(wave).all()
        assert 0.01 < np.abs(wave).max() < 2.0, patch


def test_guitars_and_pianos_are_never_synthesizers() -> None:
    rng = np.random.default_rng(0)
    assert not any(draw_patch(program, "chords", rng) for program in range(128) if program not in SYNTHESIZERS)


def test_a_kick_falls_to_its_pitch_and_rings_as_long_as_it_should() -> None:
    kick = MachineKick(hertz=50.0, drop=2.0, drop_seconds=0.02, decay_seconds=0.2, click=0.3, drive=0.0)
    wave = kick.play()[0]
    assert len(wave) == round(1.2 * SAMPLE_RATE)
    crossings = np.flatnonzero(np.diff(np.signbit(wave[round(0.2 * SAMPLE_RATE) :])))
    assert SAMPLE_RATE / np.diff(crossings).mean() / 2 == pytest.approx(50, rel=0.01)
    early, late = (np.sqrt(np.mean(wave[round(at * SAMPLE_RATE) :][:1764] ** 2)) for at in (0.2, 0.4))
    assert early / late == pytest.approx(np.e, rel=0.05)  # 1764 samples are two periods


def test_a_long_driven_kick_ends_in_silence() -> None:
    wave = MachineKick(hertz=40.0, drop=1.0, drop_seconds=0.02, decay_seconds=0.45, click=0.0, drive=4.0).play()[0]
    assert len(wave) == round(LONGEST_SECONDS * SAMPLE_RATE)
    assert np.abs(wave[-441:]).max() < 0.02


def test_drawn_kicks_are_short_and_long() -> None:
    rng = np.random.default_rng(0)
    kicks = [draw_machine_kick(rng) for _ in range(200)]
    seconds = np.array([kick.decay_seconds for kick in kicks])
    assert seconds.min() < 0.08
    assert seconds.max() > 0.4
    assert max(kick.play().shape[1] for kick in kicks) <= LONGEST_SECONDS * SAMPLE_RATE
