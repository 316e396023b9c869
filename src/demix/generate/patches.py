"""How synthesizers sound in one song: patches drawn by what plays."""

import numpy as np

from demix.generate.synth import Patch

SYNTHESIZERS = (38, 39, 50, 51, 62, 63, *range(80, 96))  # General MIDI programs
# Chance that our own synthesizer plays a part in place of a SoundFont.
CHANCE = 0.6
BASS_CHANCE = 0.05  # of a bass that the composer had in mind as a guitar


def draw_patch(program: int, role: str, rng: np.random.Generator) -> Patch | None:
    """Draw a patch for a part, or None, which leaves it to a SoundFont.

    Args:
        program: General MIDI program that the composer has in mind.
        role: of the part.
        rng: where chance comes from.
    """
    odds = CHANCE if program in SYNTHESIZERS else BASS_CHANCE if role == "bass" else 0.0
    if rng.random() >= odds:
        return None
    if role == "bass":
        return _bass(rng)
    return _held(rng) if role == "pad" else _struck(rng)


def _bass(rng: np.random.Generator) -> Patch:
    """A bass: deep sines of drum machines, resonant saws, squares with a sub-oscillator, FM."""
    kind = str(rng.choice(("deep", "saw", "square", "pulse", "fm"), p=(0.25, 0.3, 0.2, 0.1, 0.15)))
    held = rng.random() < 0.6
    common = {
        "attack_seconds": float(rng.uniform(0.002, 0.02)),
        "decay_seconds": float(np.exp(rng.uniform(*np.log((0.12, 1.2))))),
        "sustain": float(rng.uniform(0.4, 1.0)) if held else 0.0,
        "sweep_seconds": float(np.exp(rng.uniform(*np.log((0.03, 0.5))))),
    }
    if kind == "deep":
        drop = {"drop": float(rng.uniform(3, 24)), "drop_seconds": float(rng.uniform(0.01, 0.06))}
        wave = str(rng.choice(("sine", "triangle")))
        return Patch(wave, edge=float(rng.uniform(2, 12)), **common, **(drop if rng.random() < 0.4 else {}))
    if kind == "fm":
        ratio, index = float(rng.choice((1, 1, 2, 3))), float(rng.uniform(0.5, 3.0))
        return Patch("fm", width=ratio, index=index, edge=float(rng.uniform(4, 20)), sweep=1.0, **common)
    return Patch(
        kind,
        width=float(rng.uniform(0.1, 0.5)),
        detune_cents=float(rng.uniform(3, 14)) if rng.random() < 0.4 else 0.0,
        sub=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.5 else 0.0,
        edge=float(np.exp(rng.uniform(*np.log((1.5, 16.0))))),
        sweep=float(rng.uniform(0, 4)),
        resonance=float(rng.uniform(0.7, 5.0)),
        **common,
    )


def _struck(rng: np.random.Generator) -> Patch:
    """A lead, a sequence or chords."""
    wave = str(rng.choice(("saw", "saw", "square", "pulse", "triangle", "fm")))
    plucked = rng.random() < 0.5
    return Patch(
        wave,
        width=float(rng.choice((1, 2, 3, 5, 7))) if wave == "fm" else float(rng.uniform(0.08, 0.5)),
        index=float(rng.uniform(0.5, 4.0)),
        detune_cents=float(rng.uniform(3, 20)) if rng.random() < 0.6 else 0.0,
        sub=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.2 else 0.0,
        edge=float(np.exp(rng.uniform(*np.log((2.0, 24.0))))),
        sweep=float(rng.uniform(0, 4)),
        sweep_seconds=float(np.exp(rng.uniform(*np.log((0.03, 0.6))))),
        resonance=float(rng.uniform(0.7, 4.0)),
        attack_seconds=float(rng.uniform(0.002, 0.03)),
        decay_seconds=float(np.exp(rng.uniform(*np.log((0.08, 0.8))))),
        sustain=0.0 if plucked else float(rng.uniform(0.4, 1.0)),
    )


def _held(rng: np.random.Generator) -> Patch:
    """A pad."""
    return Patch(
        str(rng.choice(("saw", "saw", "pulse", "triangle"))),
        width=float(rng.uniform(0.15, 0.5)),
        detune_cents=float(rng.uniform(5, 22)),
        edge=float(np.exp(rng.uniform(*np.log((2.0, 12.0))))),
        sweep=float(rng.uniform(-2, 2)),
        sweep_seconds=float(rng.uniform(0.3, 2.0)),
        resonance=float(rng.uniform(0.7, 2.5)),
        attack_seconds=float(rng.uniform(0.02, 0.5)),
    )
