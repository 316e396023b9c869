"""One excerpt to look at and listen to: what every system made of it, beside the truth.

The excerpt is chosen by the true stems alone, before any system has been heard.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demix import audio
from demix.config import SAMPLE_RATE, STEMS
from demix.data.track import Audio
from demix.files import atomic
from demix.spectral import STFT

SECONDS = 8.0
MAX_HZ = 11_025.0
MAX_ROWS = 384  # rows of a picture; neighbouring bins are averaged down to it
FOLDER = "excerpt"


def choose_start(stems: Audio) -> int:
    """Return the first sample of the `SECONDS` in which the stems sound together best.

    The windows are ranked by the sum over stems of their level in dB, held between -50 and -20 dBFS so that no
    loud stem makes up for a silent one.

    Args:
        stems: `(stems, channels, samples)`.
    """
    seconds = stems.shape[-1] // SAMPLE_RATE
    length = int(SECONDS)
    if seconds <= length:
        return 0
    whole = stems[..., : seconds * SAMPLE_RATE].reshape(*stems.shape[:2], seconds, SAMPLE_RATE)
    power = np.einsum("scnt,scnt->sn", whole, whole, dtype=np.float64) / (stems.shape[1] * SAMPLE_RATE)
    level_db = np.clip(10 * np.log10(power + 1e-12), -50, -20).sum(axis=0)
    return int(np.convolve(level_db, np.ones(length), "valid").argmax()) * SAMPLE_RATE


def cut(waveform: Audio, start: int) -> Audio:
    """Return the excerpt of a waveform `(..., samples)` from sample `start`."""
    return waveform[..., start : start + round(SECONDS * SAMPLE_RATE)]


def write_excerpt(
    folder: Path, *, mixture: Audio, truth: Audio, estimates: Mapping[str, Audio], track: str, start: int
) -> dict[str, object]:
    """Write the excerpt's sound and masks into `folder/excerpt`.

    Args:
        folder: the results folder.
        mixture: the excerpt, `(channels, samples)`.
        truth: its true stems, `(stems, channels, samples)`.
        estimates: system -> its stems of the excerpt.
        track: the song's name.
        start: first sample of the excerpt in the song.

    Returns:
        The entry `excerpt` of results.json.

    Raises:
        DemixError: when a file cannot be written.
    """
    there = folder / FOLDER
    there.mkdir(parents=True, exist_ok=True)
    audio.write(there / "mixture.flac", mixture, sample_rate=SAMPLE_RATE)
    for system, stems in {"truth": truth, **estimates}.items():
        for name, stem in zip(STEMS, stems, strict=True):
            audio.write(there / f"{system}-{name}.flac", np.clip(stem, -1, 1), sample_rate=SAMPLE_RATE)
    stft = STFT()
    whole = _rows(np.abs(stft.forward(mixture)), stft)
    arrays: dict[str, Any] = {"mixture_db": _to_db(whole), "truth_db": _to_db(_rows(np.abs(stft.forward(truth)), stft))}
    for system, stems in estimates.items():
        # The mask that a system applied, whatever it is made of: its estimate over the mixture.
        share = _rows(np.abs(stft.forward(stems)), stft) / np.maximum(whole, 1e-6)
        arrays[system] = np.clip(share, 0, 1).astype(np.float16)
    with atomic(there / "masks.npz") as file:
        np.savez_compressed(file, **arrays)
    return {
        "track": track,
        "start_seconds": start / SAMPLE_RATE,
        "seconds": mixture.shape[-1] / SAMPLE_RATE,
        "sample_rate": SAMPLE_RATE,
        "hop_length": stft.hop_length,
        "n_fft": stft.n_fft,
        "max_hz": MAX_HZ,
    }


def _rows(magnitude: npt.NDArray[np.float32], stft: STFT) -> npt.NDArray[np.float32]:
    """Average `(..., channels, bins, frames)` over channels, and bins up to `MAX_HZ` down to at most `MAX_ROWS`."""
    bins = round(MAX_HZ * stft.n_fft / SAMPLE_RATE)
    step = -(-bins // MAX_ROWS)
    kept = magnitude.mean(axis=-3)[..., : bins // step * step, :]
    return kept.reshape(*kept.shape[:-2], -1, step, kept.shape[-1]).mean(axis=-2)


def _to_db(magnitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    return (20 * np.log10(np.maximum(magnitude, 1e-3))).astype(np.float16)
