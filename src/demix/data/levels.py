"""How loud a stem is, and how much of it is silent."""

import math

import numpy as np

from demix.config import SAMPLE_RATE
from demix.data.track import Audio

SILENCE_DB = -60.0  # dBFS; a second of a stem below it counts as silent


def level_db(waveform: Audio) -> float:
    """Return the RMS level over all channels in dBFS, -inf for digital silence."""
    power = float(np.einsum("cs,cs->", waveform, waveform, dtype=np.float64)) / waveform.size
    return 10 * math.log10(power) if power > 0 else -math.inf


def silent_share(waveform: Audio) -> float:
    """Return the share of one-second pieces under `SILENCE_DB`; the last part of a second is left out."""
    channels, samples = waveform.shape
    length = min(samples, SAMPLE_RATE)
    pieces = waveform[:, : samples // length * length].reshape(channels, -1, length)
    power = np.einsum("cps,cps->p", pieces, pieces, dtype=np.float64) / (channels * length)
    return float(np.mean(power < 10 ** (SILENCE_DB / 10)))
