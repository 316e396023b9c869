"""Where a net wins: its SDR over frequency bands, over how far a stem stands out of the mixture, and both.

A song is cut into cells of one second and one band (octaves, for the most part). In each cell the energies of the true
stem, of the estimate's error and of the rest of the mixture are taken from the STFT that masks act on, all channels
together; energies add up, so the SDR of any set of cells is the ratio of sums. The input SNR of a cell, stem over rest,
says how much the stem is masked there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from demix.config import SAMPLE_RATE, STEMS
from demix.data.track import Audio, Track
from demix.metrics import Floats
from demix.pretrained import make_separator
from demix.runtime import Run, pick_device
from demix.spectral import STFT

BAND_EDGES_HZ = (0.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, SAMPLE_RATE / 2)
INPUT_EDGES_DB = (-np.inf, -30.0, -25.0, -20.0, -15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0, np.inf)
SILENT_CELL = 1e-9  # mean square of a cell's stem that counts as silence: -90 dBFS

Estimate = Callable[[Audio, Audio], Audio]  # of mixture and true stems; nets look at the mixture alone


@dataclass(frozen=True)
class Cells:
    """Energies of cells, `(stems, seconds, bands)`.

    Args:
        reference: of the true stems.
        error: of `reference - estimate`.
        rest: of `mixture - reference`.
    """

    reference: Floats
    error: Floats
    rest: Floats


class Subject(NamedTuple):
    """What a row is about: the first columns of both tables."""

    system: str
    group: str
    track: str
    stem: str


class BandRow(NamedTuple):
    """A row of `bands.csv`: one stem of one song in one band."""

    system: str
    group: str
    track: str
    stem: str
    low_hz: float
    high_hz: float
    reference_energy: float
    error_energy: float


class LevelRow(NamedTuple):
    """A row of `levels.csv`: the cells of one band whose input SNR lies in one range; 0 to 22050 Hz is all bands."""

    system: str
    group: str
    track: str
    stem: str
    low_hz: float
    high_hz: float
    input_low_db: float
    input_high_db: float
    cells: int
    reference_energy: float
    error_energy: float
    rest_energy: float


def net_estimate(run: Run, *, device: str = "auto") -> Estimate:
    """Return the function that separates a mixture with a trained net, as evaluation does."""
    separator = make_separator(run.net, run.config, device=pick_device(device))

    def estimate(mixture: Audio, stems: Audio) -> Audio:
        parts = separator.separate(mixture)
        return np.stack([parts[stem] for stem in STEMS])

    return estimate


def score_bands(
    systems: Mapping[str, Estimate], groups: Mapping[str, str], tracks: Iterable[Track]
) -> tuple[list[BandRow], list[LevelRow]]:
    """Score systems on songs by band and by input SNR.

    Args:
        systems: name -> how it separates: `net_estimate(run)`, or one of `demix.evaluation.baselines.BASELINES`.
        groups: name -> group; a system without one is its own.
        tracks: the songs.

    Returns:
        The rows of `bands.csv` and of `levels.csv`. A stem that is silent in the whole song has none.

    Raises:
        DemixError: for a song that cannot be read.
    """
    bands: list[BandRow] = []
    levels: list[LevelRow] = []
    for track in tracks:
        stems, mixture = track.load()
        for name, estimate in systems.items():
            cells = band_energies(stems, estimate(mixture, stems), mixture=mixture)
            for index, stem in enumerate(STEMS):
                if stems[index].any():
                    of_stem = Cells(cells.reference[index], cells.error[index], cells.rest[index])
                    of = Subject(name, groups.get(name, name), track.name, stem)
                    bands.extend(over_bands(of_stem, of))
                    levels.extend(over_levels(of_stem, of))
    return bands, levels


def band_energies(
    references: Audio,
    estimates: Audio,
    *,
    mixture: Audio,
    edges_hz: Sequence[float] = BAND_EDGES_HZ,
    stft: STFT | None = None,
) -> Cells:
    """Sum the energies of stems, errors and the rest of the mixture over seconds and bands.

    They are scaled so that all cells together have the energy of the waveform (Parseval; the squared windows of
    overlapping frames add up to a constant, at the song's ends too, for frames begin before and end after it). A frame
    belongs to the second that its centre lies in, a bin to the band that its centre frequency lies in.

    Args:
        references: true stems, `(stems, channels, samples)`.
        estimates: of the same shape.
        mixture: `(channels, samples)`.
        edges_hz: borders of the bands, rising; the last is half the sample rate.
        stft: the transform.

    Returns:
        Energies, `(stems, seconds, bands)`.
    """
    stft = stft or STFT()
    hertz = np.arange(stft.bins) * SAMPLE_RATE / stft.n_fft
    band_starts = np.searchsorted(hertz, edges_hz[:-1])
    samples = references.shape[-1]
    centres = np.arange(stft.frames(samples + 2 * stft.n_fft)) * stft.hop_length - stft.n_fft
    second_starts = np.unique(np.clip(centres, 0, samples - 1) // SAMPLE_RATE, return_index=True)[1]
    twice = np.where((hertz == 0) | (hertz == SAMPLE_RATE / 2), 1.0, 2.0)  # of a real signal's spectrum half is kept
    scale = twice / (stft.n_fft * np.square(stft.window(), dtype=np.float64).sum() / stft.hop_length)

    def measure(waveform: Audio) -> Floats:
        power = np.zeros((stft.bins, len(centres)))
        for channel in waveform:  # one at a time: spectra take a lot of memory
            power += np.square(np.abs(stft.forward(np.pad(channel, stft.n_fft))))
        of_bands = np.add.reduceat(power * scale[:, None], band_starts, axis=0)
        return np.asarray(np.add.reduceat(of_bands, second_starts, axis=1).T)

    pairs = list(zip(references, estimates, strict=True))
    return Cells(
        reference=np.stack([measure(reference) for reference, _ in pairs]),
        error=np.stack([measure(reference - estimate) for reference, estimate in pairs]),
        rest=np.stack([measure(mixture - reference) for reference, _ in pairs]),
    )


def over_bands(cells: Cells, of: Subject) -> list[BandRow]:
    """Sum one stem's cells `(seconds, bands)` over time."""
    return [
        BandRow(*of, low, high, float(cells.reference[:, band].sum()), float(cells.error[:, band].sum()))
        for band, (low, high) in enumerate(pairwise(BAND_EDGES_HZ))
    ]


def over_levels(cells: Cells, of: Subject) -> list[LevelRow]:
    """Sort one stem's cells `(seconds, bands)` by input SNR.

    Cells in which the stem is silent have no SNR and are left out, and so are ranges without cells.
    """
    sounds = cells.reference > SILENT_CELL * SAMPLE_RATE
    ratio = np.divide(cells.reference, cells.rest, out=np.full(cells.rest.shape, 1e30), where=cells.rest > 0)
    input_db = 10 * np.log10(np.clip(ratio, 1e-30, 1e30))
    spans = [(0.0, SAMPLE_RATE / 2, slice(None))]
    spans += [(low, high, slice(band, band + 1)) for band, (low, high) in enumerate(pairwise(BAND_EDGES_HZ))]
    rows = []
    for low_hz, high_hz, bands in spans:
        for low_db, high_db in pairwise(INPUT_EDGES_DB):
            inside = sounds[:, bands] & (input_db[:, bands] >= low_db) & (input_db[:, bands] < high_db)
            if inside.any():
                reference, error, rest = (
                    float(each[:, bands][inside].sum()) for each in (cells.reference, cells.error, cells.rest)
                )
                where = low_hz, high_hz, low_db, high_db
                rows.append(LevelRow(*of, *where, int(inside.sum()), reference, error, rest))
    return rows
