"""Effects that are not linear or change with time: drive, compression, modulation. All keep the length.

Gains that follow the sound are measured in steps of `STEP` samples and drawn as straight lines between them.
"""

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from demix.config import SAMPLE_RATE

Wave = npt.NDArray[np.float32]

STEP = 256  # samples between two values of a gain: 6 ms
BLOCK = 64 * STEP  # samples worked on at once
QUIET = 1e-5  # of full scale; below it a level does not count


def level(wave: Wave) -> float:
    """Return the level at which a wave `(channels, samples)` sounds: over its louder tenths of a second.

    Every third tenth is looked at; those count that are at most 30 dB below the loudest. Silence has the level 0.
    """
    size = SAMPLE_RATE // 10
    starts = range(0, max(1, wave.shape[1] - size), 3 * size)
    power = np.array([np.vdot(piece, piece) for piece in (wave[:, start : start + size] for start in starts)])
    power /= size * len(wave)
    if not power.any():
        return 0.0
    return float(np.sqrt(power[power >= power.max() * 1e-3].mean()))


def sounds(wave: Wave) -> bool:
    """Say whether a wave is more than silence."""
    return bool(wave.size and (wave.max() or wave.min()))


def drive(wave: Wave, *, gain_db: float, bias: float = 0.0, tight_hz: float = 0.0, mix: float = 1.0) -> Wave:
    """Overdrive like an amplifier: the louder, the more overtones; the level is about kept.

    Args:
        wave: `(channels, samples)`.
        gain_db: how far the sounding level is driven above the bend.
        bias: shifts the bend, which adds even overtones; 0 to 0.5.
        tight_hz: what lies below is weakened before it (6 dB an octave), so that low notes do not get muddy.
        mix: share of what is driven; the rest stays clean, as on tape and in parallel compression.
    """
    before = level(wave)
    if before < QUIET:
        return wave
    if tight_hz:
        pole = np.float32(np.exp(-2 * np.pi * tight_hz / SAMPLE_RATE))
        source = lfilter(np.array([1, -1], np.float32), np.array([1, -pole], np.float32), wave)
    else:
        source = wave
    gain = np.float32(10 ** (gain_db / 20) / max(level(source), QUIET))
    shift, rest = np.float32(bias), np.float32(bias / np.sqrt(1 + bias * bias))
    out = np.empty_like(wave)
    bent = np.empty((len(wave), BLOCK), np.float32)
    for start in range(0, wave.shape[1], BLOCK):  # block by block: everything stays in the processor's cache
        piece = out[:, start : start + BLOCK]
        root = bent[:, : piece.shape[1]]
        np.multiply(source[:, start : start + BLOCK], gain, out=piece)
        piece += shift
        np.multiply(piece, piece, out=root)
        root += np.float32(1)
        np.sqrt(root, out=root)
        piece /= root
        piece -= rest
    scale = np.float32(before / max(level(out), QUIET))
    if mix == 1:
        out *= scale
        return out
    for start in range(0, wave.shape[1], BLOCK):
        piece = out[:, start : start + BLOCK]
        piece *= scale * np.float32(mix)
        piece += wave[:, start : start + BLOCK] * np.float32(1 - mix)
    return out


def compress(wave: Wave, *, threshold_db: float, ratio: float, seconds: float) -> Wave:
    """Compress a wave `(channels, samples)`; the arguments are those of `compression`."""
    return apply(wave, compression(wave, threshold_db=threshold_db, ratio=ratio, seconds=seconds))


def compression(wave: Wave, *, threshold_db: float, ratio: float, seconds: float) -> npt.NDArray[np.float64]:
    """Return the gain of a compressor, a value for every step.

    Args:
        wave: `(channels, samples)`, what is listened to.
        threshold_db: above the sounding level; where compression begins.
        ratio: of decibels in to decibels out above it.
        seconds: over which the level is taken; slower ones let beats pass.
    """
    power = np.zeros(-(-wave.shape[1] // STEP))
    whole = wave.shape[1] // STEP
    for channel in wave:
        steps = channel[: whole * STEP].reshape(whole, STEP)
        power[:whole] += np.einsum("ns,ns->n", steps, steps) / (len(wave) * STEP)
    decay = np.exp(-STEP / (seconds * SAMPLE_RATE))
    followed = lfilter([1 - decay], [1, -decay], power)
    over = 10 * np.log10(followed + 1e-12) - 20 * np.log10(level(wave) + 1e-9) - threshold_db
    return 10 ** (np.minimum(0.0, -over * (1 - 1 / ratio)) / 20)


def apply(wave: Wave, values: npt.NDArray[np.float64]) -> Wave:
    """Multiply a wave `(..., samples)` in place by a curve through values that lie `STEP` samples apart."""
    size = BLOCK // STEP
    for first in range(0, len(values), size):
        piece = wave[..., first * STEP : (first + size) * STEP]
        piece *= draw(values[first : first + size + 1], piece.shape[-1])
    return wave


def draw(values: npt.NDArray[np.float64], samples: int) -> Wave:
    """Draw a curve `(samples,)` through values that lie `STEP` samples apart, straight from one to the next."""
    ends = np.append(values, values[-1]).astype(np.float32)
    ramp = np.arange(STEP, dtype=np.float32) / np.float32(STEP)
    curve = (ends[:-1, None] + np.diff(ends)[:, None] * ramp).ravel()
    return curve[:samples]


def peaks(wave: Wave) -> npt.NDArray[np.float32]:
    """Return the greatest sample of any channel in every step `(steps,)`."""
    whole = wave.shape[1] // STEP
    out = np.zeros(-(-wave.shape[1] // STEP), np.float32)
    for channel in wave:
        steps = channel[: whole * STEP].reshape(whole, STEP)
        np.maximum(out[:whole], steps.max(axis=1), out=out[:whole])
        np.maximum(out[:whole], -steps.min(axis=1), out=out[:whole])
        if whole < len(out):
            out[whole] = max(out[whole], np.abs(channel[whole * STEP :]).max())
    return out


def tremolo(wave: Wave, *, hertz: float, depth: float) -> Wave:
    """Make the level of a wave go up and down `hertz` times a second by `depth` (0 to 1), in place."""
    times = np.arange(-(-wave.shape[1] // STEP)) * (STEP / SAMPLE_RATE)
    return apply(wave, 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * hertz * times)))


def chorus(wave: Wave, *, hertz: float, depth_seconds: float, mix: float, channels: int = 2) -> Wave:
    """Add copies whose delay swings, one for each side, so that one voice sounds like several.

    Args:
        wave: `(channels, samples)`.
        hertz: swings a second.
        depth_seconds: of the swing, a few thousandths.
        mix: share of the copies, 0 to 1.
        channels: of the result.

    Returns:
        `(channels, samples)`.
    """
    samples = wave.shape[1]
    before = round((0.008 + 2 * depth_seconds) * SAMPLE_RATE)
    out = np.empty((channels, samples), np.float32)
    for channel in range(channels):
        source = np.concatenate([np.zeros(before, np.float32), wave[min(channel, len(wave) - 1)]])
        for start in range(0, samples, BLOCK):
            size = min(BLOCK, samples - start)
            times = (start + STEP * np.arange(-(-size // STEP) + 1)) / SAMPLE_RATE
            swing = np.sin(2 * np.pi * hertz * times + channel * np.pi / 2)
            delay = draw((0.007 + depth_seconds * (1 + swing)) * SAMPLE_RATE, size)
            whole = np.floor(delay)
            delay -= whole
            at = np.arange(start + before, start + before + size) - whole.astype(np.int64)
            late = source.take(at)
            earlier = source.take(at - 1)
            earlier -= late
            earlier *= delay
            late += earlier
            late *= np.float32(mix)
            late += source[start + before : start + before + size] * np.float32(1 - mix)
            out[channel, start : start + size] = late
    return out
