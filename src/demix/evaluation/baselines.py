"""Systems that learn nothing: what a net has to beat, and the ceiling of what masks can reach.

A baseline is a function of the mixture `(channels, samples)` and the true stems `(stems, channels, samples)`,
which only the oracle may look at; it returns estimates `(stems, channels, samples)`, float32, in the order of
`STEMS`. A new one is one function and one line in `BASELINES`.
"""

from collections.abc import Callable

import numpy as np

from demix.config import SAMPLE_RATE, STEMS
from demix.data.track import Audio
from demix.errors import DemixError
from demix.spectral import STFT

BASS_EDGE_HZ = 250.0  # harmonic sound below it is taken for bass; a bass guitar's highest fret is near 400 Hz


def copy_mixture(mixture: Audio, stems: Audio | None = None) -> Audio:
    """Return the mixture as the estimate of every stem: the customary floor.

    Its `sdr` is the stem's level against the rest of the mixture, so the table shows with it how hard each
    stem is.

    Args:
        mixture: `(channels, samples)`.
        stems: not looked at.

    Returns:
        Estimates, `(stems, channels, samples)`: a read-only view.
    """
    return np.broadcast_to(mixture, (len(STEMS), *mixture.shape))


def share_equally(mixture: Audio, stems: Audio | None = None) -> Audio:
    """Return an equal part of the mixture as each stem: a net with softmax masks that has learned nothing.

    A quieter copy makes a smaller error, so this scores several dB above `copy_mixture` without separating
    anything; only what a net gains on top of it has been learned.

    Args:
        mixture: `(channels, samples)`.
        stems: not looked at.

    Returns:
        Estimates, `(stems, channels, samples)`: a read-only view. They add up to the mixture.
    """
    return copy_mixture((mixture / len(STEMS)).astype(np.float32))


def split_harmonic_percussive(mixture: Audio, stems: Audio | None = None) -> Audio:
    """Separate by the shape of sounds in the spectrogram: what one gets without learning.

    Librosa's median filters (Fitzgerald 2010, "Harmonic/percussive separation using median filtering") split
    the channels' mean magnitude into a percussive share, which becomes the drums, and a harmonic share. Of
    this everything below `BASS_EDGE_HZ` becomes the bass; the rest is divided equally between vocals and
    other, which nothing in this method tells apart. The filters take about 0.15 s per second of music.

    Args:
        mixture: `(channels, samples)`.
        stems: not looked at.

    Returns:
        Estimates, `(stems, channels, samples)`. They add up to the mixture.

    Raises:
        DemixError: when librosa is not installed.
    """
    try:
        from librosa.decompose import hpss
    except ImportError as error:
        raise DemixError("hpss: expected librosa, which is missing; pip install 'demix-lab[report]'") from error
    stft = STFT()
    spectrum = stft.forward(mixture)
    harmonic, percussive = hpss(np.abs(spectrum).mean(axis=0), mask=True)
    bass_bins = int(np.ceil(BASS_EDGE_HZ * stft.n_fft / SAMPLE_RATE))
    bass, voices = harmonic.copy(), harmonic / 2
    bass[bass_bins:], voices[:bass_bins] = 0, 0
    masks = {"vocals": voices, "drums": percussive, "bass": bass, "other": voices}
    samples = mixture.shape[-1]
    return np.stack([stft.inverse(masks[stem] * spectrum, samples=samples) for stem in STEMS])


def apply_ideal_masks(mixture: Audio, stems: Audio | None = None) -> Audio:
    """Mask the mixture with the true stems' shares of power: the ceiling of separating by masks.

    The ideal ratio mask of SiSEC 2018's oracle IRM2: per channel `|S_j|^2 / sum_k |S_k|^2`, applied to the
    complex spectrum of the mixture. SiSEC's window has 2048 samples at half overlap; here it is the default
    `STFT` that the nets' masks act on.

    Args:
        mixture: `(channels, samples)`.
        stems: the true stems, `(stems, channels, samples)`.

    Returns:
        Estimates, `(stems, channels, samples)`. They add up to the mixture.

    Raises:
        DemixError: without true stems.
    """
    if stems is None:
        raise DemixError("oracle: expected the true stems, received none; it can only score songs with stems")
    stft = STFT()
    estimates = np.empty(stems.shape, np.float32)
    for channel, waveform in enumerate(mixture):  # one channel at a time: spectra take a lot of memory
        spectrum = stft.forward(waveform)
        power = np.stack([np.abs(stft.forward(stem[channel])) ** 2 for stem in stems])
        total = power.sum(axis=0)
        for stem, share in enumerate(power):
            mask = np.divide(share, total, out=np.full_like(total, 1 / len(stems)), where=total > 0)
            estimates[stem, channel] = stft.inverse(mask * spectrum, samples=mixture.shape[-1])
    return estimates


BASELINES: dict[str, Callable[[Audio, Audio | None], Audio]] = {
    "mixture": copy_mixture,
    "equal": share_equally,
    "hpss": split_harmonic_percussive,
    "oracle": apply_ideal_masks,
}
