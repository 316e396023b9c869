"""What there is to see of a separation: waveforms as peaks, the mixture's spectrogram and each net's masks as tiles.

All is made from files of stems. Spectra have one column for each 1/25.6 s and rows that are evenly spaced in log
frequency; levels and shares are bytes in grey PNG images, so that a page can colour them as it likes.
"""

import json
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse
import soundfile
from PIL import Image

from demix.provenance import usable_cores
from demix.spectral import STFT

Floats = npt.NDArray[np.float32]

TILE_SECONDS, TILE_WIDTH, HEIGHT = 20.0, 512, 192
LOW_HZ, HIGH_HZ = 40.0, 16_000.0
LOW_DB, HIGH_DB = -80.0, 0.0
WINDOW_SECONDS = 4096 / 44_100
PEAKS = 8192  # about; more than a wide screen has columns
LEAST_SAMPLES_PER_PEAK = 256


@dataclass(frozen=True)
class Geometry:
    """How tiles are to be read; `seconds` is the song's length."""

    seconds: float
    tiles: int
    tile_seconds: float = TILE_SECONDS
    width: int = TILE_WIDTH
    height: int = HEIGHT
    low_hz: float = LOW_HZ
    high_hz: float = HIGH_HZ
    scale: str = "log"
    low_db: float = LOW_DB
    high_db: float = HIGH_DB


def write_views(stems: Mapping[str, Path], folder: Path, *, spectrogram: Path | None = None) -> None:
    """Write the views of one system's stems: `<stem>.json`, its peaks, and `masks/<stem>/<tile>.png`, its masks.

    Peaks are the least and the greatest sample of each stretch, in audiowaveform's JSON of version 2. A mask is a
    stem's part of the sum of all stems' magnitudes, which for masks that add up to one is the mask itself.

    Args:
        stems: stem -> its file; equally long.
        folder: for all that is written.
        spectrogram: folder for the mixture's level, `<tile>.png` and `geometry.json`; its loudest point is at 0 dB.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:  # decoding and transforms let go of Python's lock
        found = list(pool.map(_analyse, stems.values()))
    for stem, (peaks, _) in zip(stems, found, strict=True):
        (folder / f"{stem}.json").write_text(json.dumps(peaks, separators=(",", ":")), encoding="utf-8")
    totals = [np.sum(parts, axis=0) for parts in zip(*(tiles for _, tiles in found), strict=True)]
    for stem, (_, tiles) in zip(stems, found, strict=True):
        for tile, (part, total) in enumerate(zip(tiles, totals, strict=True)):
            share = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
            _write_grey(folder / "masks" / stem / f"{tile}.png", share)
    if spectrogram is not None:
        levels = [20 * np.log10(np.maximum(total, 1e-9)) for total in totals]
        loudest = max(float(level.max()) for level in levels)
        for tile, level in enumerate(levels):
            _write_grey(spectrogram / f"{tile}.png", (level - loudest - LOW_DB) / (HIGH_DB - LOW_DB))
        geometry = Geometry(_seconds(next(iter(stems.values()))), tiles=len(levels))
        (spectrogram / "geometry.json").write_text(json.dumps(asdict(geometry)), encoding="utf-8")


def _seconds(path: Path) -> float:
    with soundfile.SoundFile(path) as file:
        return float(file.frames / file.samplerate)


def _analyse(path: Path) -> tuple[dict[str, Any], list[Floats]]:
    """Return a file's peaks, and the magnitudes of its tiles, `(height, columns)` each, lowest row first."""
    with soundfile.SoundFile(path) as file:
        rate, samples = file.samplerate, file.frames
        per_peak = LEAST_SAMPLES_PER_PEAK
        while samples > per_peak * PEAKS:
            per_peak *= 2
        window = _window_samples(rate)
        to_rows = _row_matrix(rate)
        to_mono = np.full(file.channels, 1 / file.channels, np.float32)
        taper = STFT(window, window // 4).window()
        extremes: list[npt.NDArray[np.float32]] = []
        tiles = []
        # Mono, with what the first and last windows see beyond both ends.
        held = np.zeros((window // 2, file.channels), np.float32)
        rest = np.zeros((0, file.channels), np.float32)
        count = max(1, math.ceil(samples / rate / TILE_SECONDS))
        for tile in range(count):
            start, end = (min(samples, round(each * TILE_SECONDS * rate)) for each in (tile, tile + 1))
            ahead = end + window // 2 - file.tell()
            block = file.read(ahead, dtype="float32", always_2d=True)
            rest = np.concatenate([rest, block])
            whole = len(rest) - len(rest) % per_peak if tile < count - 1 else len(rest)
            extremes.append(_extremes(rest[:whole], per_peak))
            rest = rest[whole:]
            held = np.concatenate([held, block, np.zeros((ahead - len(block), file.channels), np.float32)])
            columns = min(TILE_WIDTH, max(1, math.ceil(TILE_WIDTH * (end - start) / rate / TILE_SECONDS)))
            places = np.round((np.arange(columns) + 0.5) * (TILE_SECONDS / TILE_WIDTH * rate)).astype(int)
            mono = held @ to_mono  # a mean takes five times as long
            mono = np.pad(mono, (0, max(0, places[-1] + window - len(mono))))
            pieces = np.lib.stride_tricks.sliding_window_view(mono, window)[places]
            tiles.append(np.asarray(to_rows @ np.abs(scipy.fft.rfft(pieces * taper, axis=-1)).T, np.float32))
            held = held[end - start :]
    data = np.clip(np.round(np.concatenate(extremes) * 127), -128, 127).astype(int).ravel().tolist()
    peaks = {
        "version": 2,
        "channels": 1,
        "sample_rate": rate,
        "samples_per_pixel": per_peak,
        "bits": 8,
        "length": len(data) // 2,
        "data": data,
    }
    return peaks, tiles


def _extremes(samples: Floats, per_peak: int) -> Floats:
    """Return the least and the greatest of each `per_peak` samples `(samples, channels)`, all channels together."""
    padded = np.pad(samples, ((0, -len(samples) % per_peak), (0, 0)), mode="edge" if len(samples) else "constant")
    shaped = padded.reshape(-1, per_peak * samples.shape[1])
    return np.stack([shaped.min(axis=1), shaped.max(axis=1)], axis=1)


def _window_samples(sample_rate: int) -> int:
    """Return the power of two that is nearest to the window's length."""
    return int(2 ** max(4, round(math.log2(WINDOW_SECONDS * sample_rate))))


def _row_matrix(sample_rate: int) -> scipy.sparse.csr_array:
    """Return `(height, bins)`: a row averages the bins in its band, or takes from its two neighbours if it has none."""
    window = _window_samples(sample_rate)
    bins = window // 2 + 1
    edges = np.geomspace(LOW_HZ, HIGH_HZ, HEIGHT + 1) * window / sample_rate
    matrix = scipy.sparse.lil_array((HEIGHT, bins), dtype=np.float32)
    for row, (low, high) in enumerate(pairwise(edges)):
        inside = np.arange(math.ceil(low), min(math.ceil(high), bins))
        if len(inside):
            matrix[row, inside] = 1 / len(inside)
        elif high < bins - 1:
            middle = (low + high) / 2
            below = int(middle)
            matrix[row, below], matrix[row, below + 1] = below + 1 - middle, middle - below
    return matrix.tocsr()


def _write_grey(path: Path, values: Floats) -> None:
    """Write `(height, width)`, 0 to 1, lowest row first, as an image whose top row is the highest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.clip(np.round(values[::-1] * 255), 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(path, compress_level=1)  # masks hardly compress: 6 takes twice as long for 8 %
