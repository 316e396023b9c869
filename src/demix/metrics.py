"""How close estimated stems are to the true ones: signal-to-distortion ratios in dB.

Conventions
    Audio is `(stems, channels, samples)`. A stem's error is `reference - estimate`; energies are sums over
    all channels. NaN means *undefined*: a stem that is silent over the whole song has no ratio, and neither
    has a frame that does not count. Two definitions are in use in the literature, and their values are not
    comparable with each other, so a table has to name the one it shows:

    `sdr`           one ratio over the whole song (MDX and SDX challenges, "uSDR"); mean over songs.
    `sdr_bsseval`   median over frames of one second (museval v4, SiSEC 2018, "cSDR"); median over songs.

    Both follow from the energies of single seconds, so `energies` goes through the audio once and a metric is
    a function of what it returns. A new one is one function and one line in `METRICS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.errors import DemixError

Floats = npt.NDArray[np.float64]
Waveforms = npt.NDArray[np.floating]

SDR_EPSILON = 1e-7  # energy added to both sides of `sdr`'s ratio, as in the MDX challenge
_BLOCK_SAMPLES = 65_536  # what `sdr`, which knows no sample rate, sums at a time


@dataclass(frozen=True)
class Energies:
    """What both metrics need to know of a song, per stem and second; axes `(..., stems, seconds)`.

    Args:
        reference: energy of the true stem.
        error: energy of `reference - estimate`.
        counted: whether the second is a frame that counts for `sdr_bsseval`.
    """

    reference: Floats
    error: Floats
    counted: npt.NDArray[np.bool_]


def energies(references: Waveforms, estimates: Waveforms, *, sample_rate: int) -> Energies:
    """Sum the energies of references and errors over each second of a song.

    A second counts for `sdr_bsseval` under museval's rule: it is whole (or it is all there is of a shorter
    song), and every reference and every estimate sounds in it. Museval calls a stem silent where the *sum* of
    its channels is zero at every sample, so a stem in exact antiphase is silent too. A stem whose reference
    is silent over the whole song, which museval refuses to score, counts nowhere and takes no part in the
    rule: the other stems get what museval gives to them alone.

    Args:
        references: true stems, `(stems, channels, samples)`.
        estimates: estimated stems, of the same shape.
        sample_rate: in Hz; the length of a second. The last second may be a part of one.

    Returns:
        Energies with axes `(stems, seconds)`, summed in double precision.

    Raises:
        DemixError: when the shapes differ or are not `(stems, channels, samples)`, or a value is not finite.
    """
    _check_shapes(references, estimates, sample_rate)
    stems, _, samples = references.shape
    seconds = -(-samples // sample_rate)
    reference, error = np.empty((stems, seconds)), np.empty((stems, seconds))
    sounds, both_sound = np.empty((stems, seconds), bool), np.empty((stems, seconds), bool)
    for second in range(seconds):
        part = slice(second * sample_rate, (second + 1) * sample_rate)
        true = references[..., part].astype(np.float64)
        guess = estimates[..., part].astype(np.float64)
        reference[:, second] = _finite_energy(true, "references", second)
        _finite_energy(guess, "estimates", second)
        sounds[:, second] = true.sum(axis=1).any(axis=-1)
        both_sound[:, second] = sounds[:, second] & guess.sum(axis=1).any(axis=-1)
        error[:, second] = _energy(np.subtract(true, guess, out=guess))
    whole_frames = max(1, samples // sample_rate)
    scored = sounds.any(axis=1)
    counted = np.logical_and.outer(scored, both_sound[scored].all(axis=0))
    counted[:, whole_frames:] = False
    return Energies(reference, error, counted)


def sdr_from_energies(song: Energies) -> Floats:
    """Compute `sdr` from energies `(..., stems, seconds)`; see `sdr`."""
    reference, error = song.reference.sum(axis=-1), song.error.sum(axis=-1)
    ratio_db = 10 * np.log10((reference + SDR_EPSILON) / (error + SDR_EPSILON))
    return np.where(reference > 0, ratio_db, np.nan)


def bsseval_frames_from_energies(song: Energies) -> Floats:
    """Compute the ratio of every second in dB; see `bsseval_frames`."""
    perfect = song.counted & (song.error == 0)
    ratio = np.full(song.counted.shape, np.nan)
    np.divide(song.reference, song.error, out=ratio, where=song.counted & ~perfect)
    ratio[perfect] = np.inf
    return np.asarray(10 * np.log10(ratio))


def bsseval_from_energies(song: Energies) -> Floats:
    """Compute `sdr_bsseval` from energies `(..., stems, seconds)`; see `sdr_bsseval`."""
    return median_of_defined(bsseval_frames_from_energies(song))


def sdr(references: Waveforms, estimates: Waveforms) -> Floats:
    """Compute each stem's signal-to-distortion ratio over the whole song and all channels.

    `10 log10((sum s^2 + 1e-7) / (sum (s - e)^2 + 1e-7))` for the true stem `s` and its estimate `e`: the
    score of the MDX challenge (Mitsufuji et al. 2022, "Music Demixing Challenge 2021") and of SDX 2023.

    Args:
        references: true stems, `(stems, channels, samples)`.
        estimates: estimated stems, of the same shape.

    Returns:
        Decibels, `(stems,)`; NaN for a stem whose reference is silent.

    Raises:
        DemixError: when the shapes differ or are not `(stems, channels, samples)`, or a value is not finite.
    """
    return sdr_from_energies(energies(references, estimates, sample_rate=_BLOCK_SAMPLES))


def bsseval_frames(references: Waveforms, estimates: Waveforms, *, sample_rate: int) -> Floats:
    """Compute museval's SDR of every frame of one second.

    BSS Eval v4 (Stöter, Liutkus and Ito 2018, "The 2018 Signal Separation Evaluation Campaign") solves for
    distortion filters to split the error into spatial, interference and artefact parts. For the SDR the parts
    are added up again to the whole error, so it is the plain ratio of reference to error energy and no filter
    is needed.

    Args:
        references: true stems, `(stems, channels, samples)`.
        estimates: estimated stems, of the same shape.
        sample_rate: in Hz; the length of a frame. A last part of a second is dropped.

    Returns:
        Decibels, `(stems, frames)`; NaN where the frame does not count (see `energies`), infinity where the
        estimate is exact.

    Raises:
        DemixError: when the shapes differ or are not `(stems, channels, samples)`, or a value is not finite.
    """
    frames = bsseval_frames_from_energies(energies(references, estimates, sample_rate=sample_rate))
    return frames[:, : max(1, references.shape[-1] // sample_rate)]


def sdr_bsseval(references: Waveforms, estimates: Waveforms, *, sample_rate: int) -> Floats:
    """Compute each stem's SDR as museval v4 does: the median over frames of one second.

    Args:
        references: true stems, `(stems, channels, samples)`.
        estimates: estimated stems, of the same shape.
        sample_rate: in Hz; the length of a frame.

    Returns:
        Decibels, `(stems,)`; NaN for a stem without a frame that counts. An estimate that is silent over the
        whole song leaves no frame that counts, for any stem.

    Raises:
        DemixError: when the shapes differ or are not `(stems, channels, samples)`, or a value is not finite.
    """
    return bsseval_from_energies(energies(references, estimates, sample_rate=sample_rate))


def mean_of_defined(values: Floats, axis: int = -1) -> Floats:
    """Average over an axis, leaving NaN out; NaN where nothing is left."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=axis)
    total = np.sum(values, axis=axis, where=defined)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def median_of_defined(values: Floats, axis: int = -1) -> Floats:
    """Take the median over an axis, leaving NaN out; NaN where nothing is left."""
    ordered = np.sort(np.moveaxis(values, axis, -1), axis=-1)  # NaN goes last
    count = (~np.isnan(ordered)).sum(axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ordered, count // 2, axis=-1)
    return np.asarray(0.5 * (low + high))[..., 0]


@dataclass(frozen=True)
class Metric:
    """A score per stem and song, and how a table condenses it.

    Args:
        score: from energies `(..., stems, seconds)` to decibels `(..., stems)`, NaN where undefined.
        over_songs: from values over an axis to one, NaN left out.
    """

    score: Callable[[Energies], Floats]
    over_songs: Callable[..., Floats]


METRICS = {
    "sdr": Metric(sdr_from_energies, mean_of_defined),
    "sdr_bsseval": Metric(bsseval_from_energies, median_of_defined),
}


def _energy(block: Floats) -> Floats:
    return np.asarray(np.einsum("scn,scn->s", block, block))


def _check_shapes(references: Waveforms, estimates: Waveforms, sample_rate: int) -> None:
    if references.ndim != 3 or references.size == 0:
        raise DemixError(
            f"references: expected audio of the shape (stems, channels, samples), received {references.shape}"
        )
    if references.shape[1] > references.shape[2]:
        raise DemixError(
            f"references: expected (stems, channels, samples), received {references.shape} with more "
            "channels than samples; swap the last two axes"
        )
    if estimates.shape != references.shape:
        raise DemixError(
            f"estimates: expected the references' shape {references.shape}, received {estimates.shape}; "
            "cut or pad them to the same stems, channels and samples"
        )
    if sample_rate < 1:
        raise DemixError(f"sample_rate: expected a positive number of Hz, received {sample_rate}")


def _finite_energy(block: Floats, name: str, second: int) -> Floats:
    energy = _energy(block)
    if not np.isfinite(energy).all():
        raise DemixError(
            f"{name}: expected finite samples, received NaN or infinity in stem "
            f"{int(np.argmin(np.isfinite(energy)))}, block {second}; a net that puts them out has diverged"
        )
    return energy
