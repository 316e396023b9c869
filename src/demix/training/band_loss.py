"""The loss of `losses.py` from masks that are one number per band, without a gradient at every bin.

All bins of a band share its mask `m`, so that its error `sum (m |X| - |S|)^2` is `m^2 sum |X|^2 - 2 m sum |X| |S| +
sum |S|^2`: three sums that need no gradient, and likewise its complex error. The waveform needs all bins, but its
gradient is written out here: one transform back, summed over each band at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from demix import config
from demix.models.masknet import Features, Head, spread
from demix.models.stft import istft, stft
from demix.training.losses import SPECTRUM_FLOOR, WAVEFORM_FLOOR, ratio_db, relative_error_db


@dataclass(frozen=True)
class Bands:
    """Which bins form which band.

    Args:
        index: the band of every bin, `(bins,)`.
        matrix: 1 where a bin belongs to a band, `(bands, bins)`.
    """

    index: Tensor
    matrix: Tensor

    def sum(self, values: Tensor) -> Tensor:
        """Sum `(..., bins, frames)` over the bins of each band: `(..., bands, frames)`."""
        if values.device.type == "cpu":  # few bins to a band: adding takes half the time of a matrix product
            total = values.new_zeros(*values.shape[:-2], len(self.matrix), values.shape[-1])
            return total.index_add_(-2, self.index, values.contiguous())
        return self.matrix @ values


def bands_of(features: Features, head: Head) -> Bands:
    """Return the bands of a net."""
    return Bands(head.band, (features.pool > 0).to(features.pool.dtype))


def band_loss(
    masks: Tensor,
    spectra: Tensor,
    stems: Tensor,
    *,
    bands: Bands,
    loss: config.Loss,
    spectral: config.Spectral,
) -> Tensor:
    """Return `separation_loss` of masks by band.

    Args:
        masks: `(batch, stems, bands, frames)`, real.
        spectra: of the true stems, complex `(batch, stems, bins, frames)`; their sum is the mixture's.
        stems: the true stems, `(batch, stems, samples)`.
        bands: which bins share a mask.
        loss: weights of the parts.
        spectral: the transform.

    Returns:
        A scalar, whose gradient reaches the masks alone.
    """
    mixture = add_up(spectra)
    total = masks.new_zeros(())
    if loss.spectrum or loss.complex:
        power = _power(mixture)
        of_stems = _power(spectra)
        wide = bands.sum(power)[:, None]
        rest = of_stems.transpose(-2, -1).sum((-2, -1))
        least = SPECTRUM_FLOOR * power[0].numel()

        def error_db(shared: Tensor) -> Tensor:
            error = (masks * (masks * wide - 2 * shared)).sum((-2, -1)) + rest
            # The sums cancel where a mask is right; what rounding leaves must not become negative.
            return ratio_db(error.clamp_min(0), wide.sum((-2, -1)) + least)

        if loss.spectrum:
            total = total + loss.spectrum * error_db(bands.sum((of_stems * power[:, None]).sqrt()))
        if loss.complex:
            product = spectra.real * mixture.real[:, None] + spectra.imag * mixture.imag[:, None]
            total = total + loss.complex * error_db(bands.sum(product))
    if loss.waveform:
        back: Callable[..., Tensor] = MaskedWaveform.apply
        estimate = back(masks, mixture, bands, spectral, stems.shape[-1])
        whole = stems.sum(dim=1, keepdim=True)
        total = total + loss.waveform * relative_error_db(estimate - stems, whole, WAVEFORM_FLOOR)
    return total


class MaskedWaveform(torch.autograd.Function):
    """A mixture's spectrum under masks by band, as waveforms `(batch, stems, samples)`; the masks get a gradient."""

    @staticmethod
    def forward(
        ctx: Any, masks: Tensor, mixture: Tensor, bands: Bands, spectral: config.Spectral, samples: int
    ) -> Tensor:
        """Multiply and transform back."""
        ctx.save_for_backward(mixture)
        ctx.bands, ctx.spectral = bands, spectral
        # In the order in which the transforms keep numbers in memory, frame by frame, which mixing up costs a CPU much.
        by_bin = spread(masks, bands.index).transpose(-2, -1).contiguous().transpose(-2, -1)
        masked = by_bin * mixture[:, None]
        return istft(masked, n_fft=spectral.n_fft, hop_length=spectral.hop_length, samples=samples)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Apply the adjoint of each step in turn: divide by the windows' overlap, transform, multiply, sum."""
        (mixture,), spectral = ctx.saved_tensors, ctx.spectral
        gradient = gradients[0]
        n_fft, hop_length = spectral.n_fft, spectral.hop_length
        overlap, weight = _constants(n_fft, hop_length, gradient.shape[-1], gradient.device)
        back = stft(gradient / overlap, n_fft=n_fft, hop_length=hop_length)
        real, imaginary = weight * mixture.real, weight * mixture.imag
        by_bin = back.real * real[:, None] + back.imag * imaginary[:, None]
        return ctx.bands.sum(by_bin), None, None, None, None


def add_up(stems: Tensor) -> Tensor:
    """Return the sum of `(batch, stems, ...)` over the stems, which a CPU adds faster than it sums over an axis."""
    first, *others = stems.unbind(1)
    total = first.clone()
    for other in others:
        total += other
    return total


def _power(spectrum: Tensor) -> Tensor:
    """Return squared magnitudes; a sum of two squares is many times as fast on a CPU as `abs`."""
    return spectrum.real.square() + spectrum.imag.square()


@lru_cache(maxsize=4)
def _constants(n_fft: int, hop_length: int, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the overlap of squared windows at every sample, and every bin's weight `(bins, 1)` in a real signal."""
    frames = 1 + samples // hop_length
    square = torch.hann_window(n_fft).square()
    overlap = torch.zeros((frames - 1) * hop_length + n_fft)
    for frame in range(frames):
        overlap[frame * hop_length : frame * hop_length + n_fft] += square
    weight = torch.full((n_fft // 2 + 1, 1), 2 / n_fft)
    weight[0] = 1 / n_fft
    if n_fft % 2 == 0:
        weight[-1] = 1 / n_fft
    return overlap[n_fft // 2 : n_fft // 2 + samples].to(device), weight.to(device)
