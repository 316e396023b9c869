"""The loss on waveforms and spectra."""

import torch
from torch import Tensor

from demix import config
from demix.models.stft import istft

WAVEFORM_FLOOR = 1e-9  # mean square that digital silence counts as: -90 dBFS
SPECTRUM_FLOOR = 1e-6  # the same for magnitudes, whose mean square is about n_fft / 4 times the waveform's


def separation_loss(
    masks: Tensor, spectra: Tensor, stems: Tensor, *, loss: config.Loss, spectral: config.Spectral
) -> Tensor:
    """Return how far the masked mixture is from the stems: error over mixture in dB, waveforms and magnitudes.

    `waveform * dB(sum (x_est - x)^2 / sum x_mix^2) + spectrum * dB(sum (m |X| - |S|)^2 / sum |X|^2)`, sums over the
    stems of a segment, mean over the segments. It is the negative of an SDR, so loud and quiet music count alike
    and an unsure net hedges as SDR wants it, where an L1 loss pulls unsure masks to zero.
    Nothing has a root that is differentiated, and floors keep value and gradient finite on digital silence. It is the
    loss of one channel: the training loop takes left and right in turn, because the transforms and the
    elementwise work of both would be half of a step.

    Args:
        masks: `(batch, stems, bins, frames)`, real.
        spectra: of the true stems, complex, the same shape; their sum is the mixture's.
        stems: the true stems, `(batch, stems, samples)`.
        loss: weights of the two parts.
        spectral: the transform.

    Returns:
        A scalar.
    """
    mixture = spectra.sum(dim=1, keepdim=True)
    total = masks.new_zeros(())
    if loss.spectrum:
        magnitude = mixture.abs()
        error = masks * magnitude - spectra.abs()
        total = total + loss.spectrum * _relative_error_db(error, magnitude, SPECTRUM_FLOOR)
    if loss.waveform:
        estimate = istft(
            masks * mixture, n_fft=spectral.n_fft, hop_length=spectral.hop_length, samples=stems.shape[-1]
        )
        whole = stems.sum(dim=1, keepdim=True)
        total = total + loss.waveform * _relative_error_db(estimate - stems, whole, WAVEFORM_FLOOR)
    return total


def _relative_error_db(error: Tensor, mixture: Tensor, floor: float) -> Tensor:
    """Return the energy of `error` `(batch, stems, ...)` over that of `mixture` `(batch, 1, ...)` in dB."""
    axes = tuple(range(1, error.ndim))
    values = mixture[0].numel()
    least = floor * values
    ratio = (error.square().sum(axes) + least) / (mixture.square().sum(axes) + least)
    return 10 * torch.log10(ratio).mean()
