"""Linear effects as one filter: equaliser, loudspeaker, place, room and echo of a part are a single convolution.

A filter is a pair of impulse responses, one for each side. All parts of a stem are added as spectra, so that the way
back is paid once for a stem.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from demix.config import SAMPLE_RATE
from demix.generate.effects import sounds

Wave = npt.NDArray[np.float32]
Curve = Sequence[tuple[float, float]]  # (hertz, decibels), straight lines over the logarithm of frequency between them

TAPS = 2048  # of an equaliser
RUMBLE = (np.hanning(TAPS) / np.hanning(TAPS).sum()).astype(np.float32)  # keeps what lies below the lowest notes
BLOCK = 1 << 17  # samples of a Fourier transform; of long responses
SHORT_BLOCK = 1 << 15
BATCH = 4  # blocks transformed at once, which is 2.5 times faster than one by one


@dataclass(frozen=True)
class Echo:
    """Repetitions that get softer and darker.

    Args:
        seconds: between them.
        feedback: each one's level against the one before.
        level: of the first.
    """

    seconds: float
    feedback: float
    level: float


def equaliser(curve: Curve) -> Wave:
    """Return the impulse response `(TAPS,)`, minimum phase, of a curve of gains."""
    hertz = np.fft.rfftfreq(2 * TAPS, 1 / SAMPLE_RATE)
    points = sorted(curve)
    at = np.log2(np.maximum(hertz, 10.0))
    gains_db = np.interp(at, [np.log2(hz) for hz, _ in points], [gain for _, gain in points])
    cepstrum = np.fft.irfft(gains_db * np.log(10) / 20)
    cepstrum[1:TAPS] *= 2
    cepstrum[TAPS + 1 :] = 0
    response = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:TAPS]
    response[TAPS // 2 :] *= np.linspace(1, 0, TAPS - TAPS // 2)
    return response.astype(np.float32)


def add_curves(one: Curve, other: Curve) -> Curve:
    """Add two equalisers."""
    hertz = sorted({hz for hz, _ in (*one, *other)})
    sums = np.zeros(len(hertz))
    for curve in (one, other):
        points = sorted(curve)
        sums += np.interp(np.log2(hertz), [np.log2(hz) for hz, _ in points], [gain for _, gain in points])
    return tuple((hz, float(gain)) for hz, gain in zip(hertz, sums, strict=True))


def room(rng: np.random.Generator, *, seconds: float, dark_hz: float, before_seconds: float) -> Wave:
    """Return the response `(2, samples)` of a room without the direct sound, of energy 1 a side.

    Noise that dies away by 60 dB, the highs faster, as in real rooms; both sides differ.

    Args:
        rng: where chance comes from.
        seconds: until it is 60 dB softer.
        dark_hz: above which it dies twice as fast and is weaker.
        before_seconds: until it begins.
    """
    samples = max(256, round(seconds * SAMPLE_RATE * 0.8))
    times = np.arange(samples) / SAMPLE_RATE
    noise = rng.standard_normal((2, samples)).astype(np.float32)
    low_taps = equaliser([(20, -24), (150, -3), (300, 0), (dark_hz, -3), (2.5 * dark_hz, -24), (20000, -50)])
    high_taps = equaliser([(20, -60), (dark_hz / 2, -18), (dark_hz, -6), (2 * dark_hz, -9), (12000, -18)])
    size = fft.next_fast_len(samples + TAPS)
    spectrum = fft.rfft(noise, size)
    out = np.zeros((2, samples), np.float32)
    for taps, decay in ((low_taps, seconds), (high_taps, seconds / 2)):
        band = fft.irfft(spectrum * fft.rfft(taps, size), size)[:, :samples]
        out += (band * np.exp(-6.9 * times / decay)).astype(np.float32)
    first = np.minimum(1, times / 0.015)  # the tail builds up
    out *= first.astype(np.float32)
    for _ in range(6):  # walls
        out[rng.integers(2), min(samples - 1, int(rng.uniform(0.002, 0.04) * SAMPLE_RATE))] += np.float32(
            rng.normal() * np.abs(out).max() * 2
        )
    out /= np.sqrt(np.square(out).sum(axis=1, keepdims=True)) + np.float32(1e-9)
    return np.pad(out, ((0, 0), (round(before_seconds * SAMPLE_RATE), 0)))


def response(
    curve: Curve, *, pan: float = 0.0, hall: Wave | None = None, send: float = 0.0, echo: Echo | None = None
) -> Wave:
    """Return a part's whole filter `(2, samples)`.

    Args:
        curve: equaliser.
        pan: -1 (left) to 1 (right), of equal power.
        hall: as `room` gives it.
        send: level of the room against the direct sound.
        echo: repetitions, alternately on the other side.
    """
    angle = (pan + 1) * np.pi / 4
    sides = np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(np.sqrt(2))
    direct = np.ones((1, 1), np.float32)
    pieces: list[tuple[int, Wave]] = [(0, sides[:, None] * direct)]
    if hall is not None and send:
        pieces.append((0, hall * np.float32(send)))
    if echo is not None:
        size, number = echo.level, 1
        while size > 0.02 and number * echo.seconds < 1.9:
            turned = sides[::-1] if number % 2 else sides
            pieces.append((round(number * echo.seconds * SAMPLE_RATE), turned[:, None] * np.float32(size)))
            size, number = size * echo.feedback, number + 1
    total = np.zeros((2, max(start + piece.shape[1] for start, piece in pieces)), np.float32)
    for start, piece in pieces:
        total[:, start : start + piece.shape[1]] += piece
    taps = equaliser(curve)
    taps -= taps.sum() * RUMBLE  # nothing at 0 Hz, where driven amplifiers put some: half at 22 Hz, all from 43 Hz on
    size = fft.next_fast_len(total.shape[1] + TAPS)
    return fft.irfft(fft.rfft(total, size) * fft.rfft(taps, size), size)[:, : total.shape[1] + TAPS]


def convolve(parts: Sequence[tuple[Wave, Wave]], *, samples: int) -> Wave:
    """Send parts through their filters and add them.

    Args:
        parts: waves with responses, each `(1 or 2, ...)`; a side of two goes through its side's response. At least
            one part; all responses have as many channels.
        samples: of the result; what rings longer is cut.

    Returns:
        `(channels, samples)`: one channel where waves and responses have one.
    """
    channels = max(len(each) for part in parts for each in part)
    out = np.zeros((channels, samples), np.float32)
    taps = max(filtered.shape[1] for _, filtered in parts)
    size = SHORT_BLOCK if taps <= SHORT_BLOCK // 4 else BLOCK
    while size < 2 * taps:
        size *= 2
    size = min(size, fft.next_fast_len(samples + taps, real=True))
    hop = size - taps
    batch = min(BATCH, -(-samples // hop))
    filters = [fft.rfft(filtered, size)[:, None] for _, filtered in parts]
    for start in range(0, samples, batch * hop):
        total: npt.NDArray[np.complex64] | None = None
        for (wave, _), spectrum in zip(parts, filters, strict=True):
            piece = wave[:, start : start + batch * hop]
            if not sounds(piece):
                continue
            blocks = np.zeros((len(wave), batch, size), np.float32)
            whole = piece.shape[1] // hop
            blocks[:, :whole, :hop] = piece[:, : whole * hop].reshape(len(wave), whole, hop)
            if whole < batch and whole * hop < piece.shape[1]:
                rest = piece[:, whole * hop :]
                blocks[:, whole, : rest.shape[1]] = rest
            product = fft.rfft(blocks, overwrite_x=True) * spectrum
            if total is None:
                total = product
            else:
                total += product
        if total is not None:
            parted = fft.irfft(total, size, overwrite_x=True)
            for number in range(batch):
                begin = start + number * hop
                end = min(samples, begin + size)
                if begin < end:
                    out[:, begin:end] += parted[:, number, : end - begin]
    return out
