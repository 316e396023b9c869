"""The loss on waveforms and spectra: the definition. `band_loss.py` computes the same number faster."""

import torch
from torch import Tensor

from demix import config
from demix.models.stft import istft

WAVEFORM_FLOOR = 1e-9  # mean square that digital silence counts as: -90 dBFS
SPECTRUM_FLOOR = 1e-6  # the same for magnitudes, whose mean square is about n_fft / 4 times the waveform's
ERROR_FLOOR = 0.01  # of the mixture's energy: a stem whose error is 20 dB below the mixture is good enough


def separation_loss(
    masks: Tensor, spectra: Tensor, stems: Tensor, *, loss: config.Loss, spectral: config.Spectral
) -> Tensor:
    """Return how far the masked mixture is from the stems: error over mixture in dB, waveforms and magnitudes.

    `waveform * dB(sum (x_est - x)^2 / sum x_mix^2) + spectrum * dB(sum (m |X| - |S|)^2 / sum |X|^2) + complex *
    dB(sum |m X - S|^2 / sum |X|^2)`, mean over the stems and the segments. The last is the first but for what
    overlapping frames cancel of each other's errors, and is much cheaper. Each stem has its own dB, as in the mean
    `sdr`: a little of the mixture in a stem that is silent costs as much as a large error in a loud one. Loud and quiet
    music count alike, and an unsure net hedges as SDR wants it, where an L1 loss pulls unsure masks to zero. The floor
    under the error is the soft threshold of Wisdom et al. 2020, *Unsupervised Sound Separation Using Mixture Invariant
    Training*. Nothing has a root that is differentiated, and floors keep value and gradient finite on digital silence.
    It is the loss of one channel: the training loop takes left and right in turn, because the transforms and the
    elementwise work of both would be half of a step.

    Args:
        masks: `(batch, stems, bins, frames)`, real.
        spectra: of the true stems, complex, the same shape; their sum is the mixture's.
        stems: the true stems, `(batch, stems, samples)`.
        loss: weights of the parts.
        spectral: the transform.

    Returns:
        A scalar.
    """
    mixture = spectra.sum(dim=1, keepdim=True)
    total = masks.new_zeros(())
    if loss.spectrum:
        magnitude = mixture.abs()
        error = masks * magnitude - spectra.abs()
        total = total + loss.spectrum * relative_error_db(error, magnitude, SPECTRUM_FLOOR)
    if loss.complex:
        error = torch.view_as_real(masks * mixture - spectra)
        total = total + loss.complex * relative_error_db(error, torch.view_as_real(mixture), SPECTRUM_FLOOR)
    if loss.waveform:
        estimate = istft(masks * mixture, n_fft=spectral.n_fft, hop_length=spectral.hop_length, samples=stems.shape[-1])
        whole = stems.sum(dim=1, keepdim=True)
        total = total + loss.waveform * relative_error_db(estimate - stems, whole, WAVEFORM_FLOOR)
    return total


def relative_error_db(error: Tensor, mixture: Tensor, floor: float) -> Tensor:
    """Return the mean over stems of the energy of `error` `(batch, stems, ...)` over that of `mixture` in dB."""
    axes = tuple(range(2, error.ndim))
    least = floor * mixture[0].numel()
    return ratio_db(error.square().sum(axes), mixture.square().sum(axes) + least)


def ratio_db(error: Tensor, mixture: Tensor) -> Tensor:
    """Return the mean of error over mixture in dB, both energies above 0, with the floor under the error."""
    return 10 * torch.log10((error + ERROR_FLOOR * mixture) / mixture).mean()
