"""The short-time Fourier transform that masks act on, in NumPy: the definition.

Conventions: periodic Hann window, centred frames, zeros beyond both ends, no scaling of the forward transform.
Frame `k` is centred on sample `k * hop_length`; a signal of `samples` has `1 + samples // hop_length` frames. The
inverse divides by the summed squared window, so `inverse(forward(x))` is `x` for every length from one sample on
(Griffin and Lim 1984, equation 6). `demix.models.stft` is its twin in PyTorch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demix.errors import DemixError


@dataclass(frozen=True)
class STFT:
    """A short-time Fourier transform of fixed window and hop.

    Args:
        n_fft: window length in samples; even.
        hop_length: distance of frames in samples; a divisor of `n_fft`, at most a quarter of it. At half of it squared
            Hann windows do not add up to a constant, and masks click (the oracle mask loses over 10 dB).

    Example:
        >>> stft = STFT(n_fft=4096, hop_length=1024)
        >>> spectrum = stft.forward(waveform)                          # (channels, 2049, frames)
        >>> waveform = stft.inverse(spectrum, samples=waveform.shape[-1])
    """

    n_fft: int = 4096
    hop_length: int = 1024

    def __post_init__(self) -> None:
        check_stft(self.n_fft, self.hop_length)

    @property
    def bins(self) -> int:
        """Number of frequency bins, from 0 Hz to half the sample rate."""
        return self.n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """Number of frames of a signal of `samples`."""
        return 1 + samples // self.hop_length

    def window(self) -> npt.NDArray[np.float32]:
        """Periodic Hann window, `(n_fft,)`."""
        phase = 2 * np.pi * np.arange(self.n_fft) / self.n_fft
        return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)

    def forward(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
        """Transform `(..., samples)` to `(..., bins, frames)`."""
        half = self.n_fft // 2
        padded = np.pad(waveform, [(0, 0)] * (waveform.ndim - 1) + [(half, half)])
        views = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft, axis=-1)
        views = views[..., :: self.hop_length, :]
        spectrum = np.fft.rfft(views * self.window(), axis=-1)
        return np.ascontiguousarray(np.swapaxes(spectrum, -1, -2)).astype(np.complex64, copy=False)

    def inverse(self, spectrum: npt.NDArray[np.complex64], *, samples: int) -> npt.NDArray[np.float32]:
        """Transform `(..., bins, frames)` back to `(..., samples)`.

        Raises:
            ValueError: if the number of bins or frames does not belong to `samples`.
        """
        bins, frames = spectrum.shape[-2:]
        if bins != self.bins or frames != self.frames(samples):
            raise ValueError(
                f"expected {self.bins} bins and {self.frames(samples)} frames for {samples} samples, "
                f"received {bins} and {frames}"
            )
        window = self.window()
        pieces = np.fft.irfft(np.swapaxes(spectrum, -1, -2), n=self.n_fft, axis=-1) * window
        total = _overlap_add(pieces, self.hop_length)
        weight = _overlap_add(np.broadcast_to(window**2, (frames, self.n_fft)), self.hop_length)
        half = self.n_fft // 2
        kept = slice(half, half + samples)
        return (total[..., kept] / weight[kept]).astype(np.float32, copy=False)


def check_stft(n_fft: int, hop_length: int) -> None:
    """Raise `DemixError` unless window and hop make an invertible transform."""
    if n_fft < 4 or n_fft % 2:
        raise DemixError(f"n_fft: expected an even number of at least 4 samples, received {n_fft}")
    if hop_length < 1 or n_fft % hop_length or 4 * hop_length > n_fft:
        raise DemixError(
            f"hop_length: expected a divisor of n_fft = {n_fft} that is at most a quarter of it, received {hop_length}"
        )


def _overlap_add(pieces: npt.NDArray[Any], hop_length: int) -> npt.NDArray[Any]:
    """Add `(..., frames, n_fft)` into `(..., (frames - 1) * hop_length + n_fft)`."""
    *lead, frames, n_fft = pieces.shape
    overlap = n_fft // hop_length
    total = np.zeros((*lead, frames + overlap - 1, hop_length), pieces.dtype)
    blocks = pieces.reshape(*lead, frames, overlap, hop_length)
    for k in range(overlap):
        total[..., k : k + frames, :] += blocks[..., k, :]
    return total.reshape(*lead, -1)
