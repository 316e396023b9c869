"""A waveform in, stems out: masks by chunks, overlap-added. Knows no files and no framework."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE, STEMS
from demix.errors import DemixError
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
Masker = Callable[[npt.NDArray[np.complex64]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Separator:
    """Cuts a mixture into stems.

    Args:
        masker: the net: spectrum of the mixture, complex `(batch, channels, bins, frames)`, to masks, real
            `(batch, stems, channels, bins, frames)`; see `demix.runtime`.
        stft: the transform that the net was trained on.
        chunk_seconds: length of the chunks that the net sees; best as long as its training segments.
        overlap: share of a chunk that it has in common with the next, 0 to under 1.
        channels: audio channels that the net was built for.

    Example:
        >>> separator = make_separator(load_run(Path("checkpoints/free-tiny-unet")))   # demix.evaluation.evaluate
        >>> stems = separator.separate(waveform)          # {"vocals": (channels, samples), ...}
    """

    masker: Masker
    stft: STFT
    chunk_seconds: float
    overlap: float = 0.25
    channels: int = 2

    def separate(self, waveform: Audio, *, on_progress: Callable[[float], None] | None = None) -> dict[str, Audio]:
        """Cut a waveform of 44.1 kHz into stems.

        Args:
            waveform: `(channels, samples)`, float32, of any length from one sample on.
            on_progress: told the share that is done, 0 to 1.

        Returns:
            Stem name -> `(channels, samples)`, in the order of `STEMS`.

        Raises:
            DemixError: for a waveform of another shape, or with values that are not finite.
        """
        _check(waveform, self.channels)
        samples = waveform.shape[-1]
        chunk = max(1, round(self.chunk_seconds * SAMPLE_RATE))
        hop = max(1, round(chunk * (1 - self.overlap)))
        total = np.zeros((len(STEMS), *waveform.shape), np.float32)
        weight = np.zeros(samples, np.float32)
        fade = _triangle(chunk)
        # The last chunk is the first that reaches the end.
        for start in range(0, max(1, samples - (chunk - hop)), hop):
            piece = waveform[:, start : start + chunk]
            length = piece.shape[-1]
            padded = np.pad(piece, ((0, 0), (0, chunk - length)))
            total[..., start : start + length] += (self._separate_chunk(padded) * fade)[..., :length]
            weight[start : start + length] += fade[:length]
            if on_progress:
                on_progress(min(1.0, (start + hop) / samples))
        total /= weight
        return dict(zip(STEMS, total, strict=True))

    def _separate_chunk(self, chunk: Audio) -> Audio:
        """Mask one chunk, `(channels, samples)` to `(stems, channels, samples)`."""
        spectrum = self.stft.forward(chunk)
        masks = self.masker(spectrum[None])[0]
        return self.stft.inverse(masks * spectrum, samples=chunk.shape[-1])


def _triangle(samples: int) -> Audio:
    """Weights that rise from near 0 to 1 in the middle and fall again, never 0."""
    distance = np.abs(np.arange(samples) - (samples - 1) / 2)
    return (1 - distance / (samples / 2 + 1)).astype(np.float32)


def _check(waveform: Audio, channels: int) -> None:
    if waveform.ndim != 2 or waveform.shape[0] != channels or waveform.shape[1] == 0:
        raise DemixError(
            f"waveform: expected ({channels}, samples) with at least one sample, received {waveform.shape}; "
            "repeat a mono channel or resample first"
        )
    if not np.isfinite(waveform).all():
        raise DemixError("waveform: expected finite samples, received NaN or infinity; mend the recording first")
