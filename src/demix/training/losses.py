"""The loss on waveforms and spectra."""

from torch import Tensor
from torch.nn import functional

from demix import config
from demix.models.stft import istft


def separation_loss(
    masks: Tensor,
    spectra: Tensor,
    stems: Tensor,
    *,
    loss: config.Loss,
    spectral: config.Spectral,
    channel: int,
) -> Tensor:
    """Return how far the masked mixture is from the stems.

    `waveform * mean |x - x_est|` over the samples of one channel, plus `spectrum * mean |m |X| - |S||` over all
    magnitudes. Both stay finite, with finite gradients, on digital silence: no root is taken of anything that has
    a gradient. The waveform part takes left and right in turn because the inverse transform of all channels would
    be a third of a training step.

    Args:
        masks: `(batch, stems, channels, bins, frames)`, real.
        spectra: of the true stems, complex, the same shape; their sum is the mixture's.
        stems: the true stems, `(batch, stems, channels, samples)`.
        loss: weights of the two parts.
        spectral: the transform.
        channel: the channel whose waveform is compared.

    Returns:
        A scalar.
    """
    mixture = spectra.sum(dim=1, keepdim=True)
    total = masks.new_zeros(())
    if loss.spectrum:
        total = total + loss.spectrum * functional.l1_loss(masks * mixture.abs(), spectra.abs())
    if loss.waveform:
        target = stems[:, :, channel]
        estimate = istft(
            masks[:, :, channel] * mixture[:, :, channel],
            n_fft=spectral.n_fft,
            hop_length=spectral.hop_length,
            samples=target.shape[-1],
        )
        total = total + loss.waveform * functional.l1_loss(estimate, target)
    return total
