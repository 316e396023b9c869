"""The twin of `demix.spectral` in PyTorch: the same numbers, with gradients."""

import torch
from torch import Tensor


def stft(waveform: Tensor, *, n_fft: int, hop_length: int) -> Tensor:
    """Transform `(..., samples)` to complex `(..., bins, frames)`; see `demix.spectral` for the definition."""
    lead, samples = waveform.shape[:-1], waveform.shape[-1]
    spectrum = torch.stft(
        waveform.reshape(-1, samples),
        n_fft,
        hop_length,
        window=torch.hann_window(n_fft, device=waveform.device),
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum.reshape(*lead, *spectrum.shape[-2:])


def istft(spectrum: Tensor, *, n_fft: int, hop_length: int, samples: int) -> Tensor:
    """Transform complex `(..., bins, frames)` back to `(..., samples)`."""
    lead = spectrum.shape[:-2]
    waveform = torch.istft(
        spectrum.reshape(-1, *spectrum.shape[-2:]),
        n_fft,
        hop_length,
        window=torch.hann_window(n_fft, device=spectrum.device),
        length=samples,
    )
    return waveform.reshape(*lead, samples)
