"""Effects that are not linear or change with time: drive, compression, modulation. All keep the length.

Gains that follow the sound are measured in steps of `STEP` samples and drawn as straight lines between them.
"""

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from demix.config import SAMPLE_RATE

Wave = npt.NDArray[np.float32]

STEP = 128  # samples between two values of a gain: 3 ms
QUIET = 1e-5  # of full scale; below it a level does not count


def level(wave: Wave) -> float:
    """Return the level at which a wave `(channels, samples)` sounds: over its louder tenths of a second.

    Those count that are at most 30 dB below the loudest; silence has the level 0.
    """
    size = SAMPLE_RATE // 10
    whole = wave[:, : wave.shape[1] // size * size].reshape(len(wave), -1, size)
    power = np.einsum("cns,cns->n", whole, whole) / (size * len(wave))
    if not len(power) or not power.any():
        return 0.0
    return float(np.sqrt(power[power >= power.max() * 1e-3].mean()))


def drive(wave: Wave, *, gain_db: float, bias: float = 0.0, tight_hz: float = 0.0) -> Wave:
    """Overdrive like an amplifier: the louder, the more overtones; the level is about kept.

    Args:
        wave: `(channels, samples)`.
        gain_db: how far the sounding level is driven above the bend.
        bias: shifts the bend, which adds even overtones; 0 to 0.5.
        tight_hz: what lies below is weakened before it (6 dB an octave), so that low notes do not get muddy.
    """
    before = level(wave)
    if before < QUIET:
        return wave
    if tight_hz:
        pole = np.float32(np.exp(-2 * np.pi * tight_hz / SAMPLE_RATE))
        wave = lfilter(np.array([1, -1], np.float32), np.array([1, -pole], np.float32), wave).astype(np.float32)
    driven = wave * np.float32(10 ** (gain_db / 20) / max(level(wave), QUIET))
    driven += np.float32(bias)
    driven /= np.sqrt(1 + driven * driven)
    driven -= np.float32(bias / np.sqrt(1 + bias * bias))
    driven *= np.float32(before / max(level(driven), QUIET))
    return driven


def crush(wave: Wave, *, gain_db: float, mix: float) -> Wave:
    """Add a saturated copy, as tape and parallel compression do: denser, the beats still in front.

    Args:
        wave: `(channels, samples)`.
        gain_db: as for `drive`.
        mix: share of the copy, 0 to 1.
    """
    return wave * np.float32(1 - mix) + drive(wave, gain_db=gain_db) * np.float32(mix)


def compression(wave: Wave, *, threshold_db: float, ratio: float, seconds: float) -> Wave:
    """Return the gain of a compressor as a curve `(samples,)`.

    Args:
        wave: `(channels, samples)`, what is listened to.
        threshold_db: above the sounding level; where compression begins.
        ratio: of decibels in to decibels out above it.
        seconds: over which the level is taken; slower ones let beats pass.
    """
    steps = _steps(wave)
    power = np.einsum("cns,cns->n", steps, steps) / (steps.shape[0] * STEP)
    decay = np.exp(-STEP / (seconds * SAMPLE_RATE))
    followed = lfilter([1 - decay], [1, -decay], power)
    over = 10 * np.log10(followed + 1e-12) - 20 * np.log10(level(wave) + 1e-9) - threshold_db
    return draw(10 ** (np.minimum(0.0, -over * (1 - 1 / ratio)) / 20), wave.shape[1])


def draw(values: npt.NDArray[np.float64], samples: int) -> Wave:
    """Draw a curve `(samples,)` through values that lie `STEP` samples apart, straight from one to the next."""
    first = values[:, None].astype(np.float32)
    slope = np.diff(values, append=values[-1:])[:, None].astype(np.float32)
    ramp = (np.arange(STEP, dtype=np.float32) / STEP)[None]
    curve = (first + slope * ramp).ravel()
    return curve[:samples] if len(curve) >= samples else np.pad(curve, (0, samples - len(curve)), mode="edge")


def peaks(wave: Wave) -> npt.NDArray[np.float32]:
    """Return the greatest sample of any channel in every step `(steps,)`."""
    steps = _steps(wave)
    return np.maximum(steps.max(axis=(0, 2)), -steps.min(axis=(0, 2)))


def tremolo(wave: Wave, *, hertz: float, depth: float) -> Wave:
    """Return the wave with its level going up and down `hertz` times a second by `depth` (0 to 1)."""
    times = np.arange(-(-wave.shape[1] // STEP)) * (STEP / SAMPLE_RATE)
    curve = 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * hertz * times))
    return wave * draw(curve, wave.shape[1])


def chorus(wave: Wave, *, hertz: float, depth_seconds: float, mix: float) -> Wave:
    """Add copies whose delay swings, one for each side, so that one voice sounds like several.

    Args:
        wave: `(channels, samples)`.
        hertz: swings a second.
        depth_seconds: of the swing, a few thousandths.
        mix: share of the copies, 0 to 1.

    Returns:
        `(2, samples)`.
    """
    samples = wave.shape[1]
    times = np.arange(-(-samples // STEP)) * (STEP / SAMPLE_RATE)
    out = np.empty((2, samples), np.float32)
    base = np.arange(samples, dtype=np.int32)
    for channel in range(2):
        swing = np.sin(2 * np.pi * hertz * times + channel * np.pi / 2)
        delay = draw((0.007 + depth_seconds * (1 + swing)) * SAMPLE_RATE, samples)
        whole = delay.astype(np.int32)
        part = delay - whole
        source = wave[min(channel, len(wave) - 1)]
        at = np.maximum(base - whole, 1)
        np.multiply(source[at], 1 - part, out=out[channel])
        out[channel] += source[at - 1] * part
        out[channel] *= np.float32(mix)
        out[channel] += source * np.float32(1 - mix)
    return out


def _steps(wave: Wave) -> Wave:
    whole = -(-wave.shape[1] // STEP) * STEP
    if whole != wave.shape[1]:
        wave = np.pad(wave, ((0, 0), (0, whole - wave.shape[1])))
    return wave.reshape(len(wave), -1, STEP)
