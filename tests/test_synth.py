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


def test_a_square_has_odd_harmonics_and_a_saw_has_all() -> None:
    for wave, number in (("saw", 2), ("square", 3)):
        note = play_note(Patch(wave, edge=OPEN), 45, velocity=90, seconds=1)
        hertz, levels = spectrum(note[0, 4410:-4410])
        peaks = hertz[find_peaks(levels, height=-30)[0]]
        assert peaks[1] / peaks[0] == pytest.approx(number, rel=0.01)


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
    assert abs(loud[0]) < 1e-3  # no click
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


def test_drawn_kicks_are_short_and_long() -> None:
    rng = np.random.default_rng(0)
    kicks = [draw_machine_kick(rng) for _ in range(200)]
    seconds = np.array([kick.decay_seconds for kick in kicks])
    assert seconds.min() < 0.08
    assert seconds.max() > 0.4
    assert max(kick.play().shape[1] for kick in kicks) <= LONGEST_SECONDS * SAMPLE_RATE
