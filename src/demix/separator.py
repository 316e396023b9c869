"""A waveform in, stems out: masks by chunks, overlap-added. Knows no files and no framework."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE, STEMS
from demix.config_checks import GREATEST_SEGMENT_SECONDS
from demix.errors import DemixError
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
GREATEST_OVERLAP = 0.95
GREATEST_SAMPLE = 1e6  # far beyond it float32 overflows on the way through the net

Masker = Callable[[npt.NDArray[np.complex64]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Separator:
    """Cuts a mixture into stems.

    Args:
        masker: the net: spectrum of the mixture, complex `(batch, channels, bins, frames)`, to masks, real
            `(batch, stems, channels, bins, frames)`; see `demix.runtime`.
        stft: the transform that the net was trained on.
        chunk_seconds: length of the chunks that the net sees, up to 120; best as long as its training segments.
        overlap: share of a chunk that it has in common with the next, 0 to 0.95.
        channels: audio channels that the net was built for.
        workers: chunks that are separated at once, each in a thread; best with a net that takes one core itself.

    Raises:
        DemixError: for chunks or an overlap beyond these bounds.

    Example:
        >>> separator = demix.load("unet")
        >>> stems = separator.separate(waveform)          # {"vocals": (channels, samples), ...}
    """

    masker: Masker
    stft: STFT
    chunk_seconds: float
    overlap: float = 0.25
    channels: int = 2
    workers: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.chunk_seconds <= GREATEST_SEGMENT_SECONDS:
            raise DemixError(
                f"segment: expected more than 0 and at most {GREATEST_SEGMENT_SECONDS} seconds, "
                f"received {self.chunk_seconds}"
            )
        if self.workers < 1:
            raise DemixError(f"workers: expected at least 1, received {self.workers}")
        if not 0 <= self.overlap <= GREATEST_OVERLAP:
            raise DemixError(f"overlap: expected 0 to {GREATEST_OVERLAP}, received {self.overlap}")

    def separate(self, waveform: Audio, *, on_progress: Callable[[float], None] | None = None) -> dict[str, Audio]:
        """Cut a waveform of 44.1 kHz into stems.

        Args:
            waveform: `(channels, samples)`, floats at full scale 1, of any length from one sample on.
            on_progress: told the share that is done, 0 to 1.

        Returns:
            Stem name -> `(channels, samples)`, in the order of `STEMS`.

        Raises:
            DemixError: for a waveform of another shape or type, or with values that are not finite.
        """
        _check(waveform, self.channels)
        waveform = waveform.astype(np.float32, copy=False)
        total = np.empty((len(STEMS), *waveform.shape), np.float32)
        done = 0
        for block in self.stream([waveform[None]]):
            total[..., done : done + block.shape[-1]] = block[0]
            done += block.shape[-1]
            if on_progress:
                on_progress(done / waveform.shape[-1])
        return dict(zip(STEMS, total, strict=True))

    def stream(self, blocks: Iterable[Audio]) -> Iterator[Audio]:
        """Cut waveforms of 44.1 kHz that come block by block; no more than two chunks for each worker are held.

        How the waveforms are cut into blocks does not change a single bit of the stems.

        Args:
            blocks: `(batch, channels, samples)`, float32 and finite, of any number of samples each.

        Yields:
            `(batch, stems, channels, samples)`, stems in the order of `STEMS`, in all as many samples as came in.
        """
        chunk = max(1, round(self.chunk_seconds * SAMPLE_RATE))
        hop = max(1, round(chunk * (1 - self.overlap)))
        work: _OverlapAdd | None = None
        for stems, step in self._separate_in_turn(_cut(blocks, chunk, hop)):
            work = work or _OverlapAdd(stems.shape[:3], chunk)
            work.add(stems)
            yield work.take(step)

    def _separate_in_turn(self, pieces: Iterable[tuple[Audio, int]]) -> Iterator[tuple[Audio, int]]:
        """Separate chunks, several at once with several workers; their order is kept, and so is every number."""
        if self.workers == 1:
            yield from ((self._separate_chunk(piece), step) for piece, step in pieces)
            return
        with ThreadPoolExecutor(self.workers) as pool:
            waiting: deque[tuple[Future[Audio], int]] = deque()
            for piece, step in pieces:
                waiting.append((pool.submit(self._separate_chunk, piece), step))
                if len(waiting) > self.workers:  # one more than are at work: none waits for the next piece
                    done, step = waiting.popleft()
                    yield done.result(), step
            for done, step in waiting:
                yield done.result(), step

    def _separate_chunk(self, chunk: Audio) -> Audio:
        """Mask one chunk, `(batch, channels, samples)` to `(batch, stems, channels, samples)`."""
        spectrum = self.stft.forward(chunk)
        masks = self.masker(spectrum)
        return self.stft.inverse(masks * spectrum[:, None], samples=chunk.shape[-1])


def _cut(blocks: Iterable[Audio], chunk: int, hop: int) -> Iterator[tuple[Audio, int]]:
    """Cut a stream of blocks into chunks.

    Yields:
        A chunk, `(batch, channels, chunk)`, and how many samples are final once it has been added. The last chunk is
        the first that reaches the end; what is missing of it is zeros.
    """
    waiting: Audio | None = None
    for block in blocks:
        waiting = block if waiting is None else np.concatenate([waiting, block], axis=-1)
        while waiting.shape[-1] > chunk:
            yield waiting[..., :chunk], hop
            waiting = waiting[..., hop:]
    if waiting is None or not waiting.shape[-1]:
        return
    left = waiting.shape[-1]
    yield np.pad(waiting, ((0, 0), (0, 0), (0, chunk - left))), left


class _OverlapAdd:
    """The weighted sum of chunks from the first sample that is not given out yet, one chunk long."""

    def __init__(self, lead: tuple[int, ...], chunk: int) -> None:
        self._fade = _triangle(chunk)
        self._total = np.zeros((*lead, chunk), np.float32)
        self._weight = np.zeros(chunk, np.float32)

    def add(self, stems: Audio) -> None:
        """Add a separated chunk, faded at both ends."""
        self._total += stems * self._fade
        self._weight += self._fade

    def take(self, samples: int) -> Audio:
        """Return the first `samples`, to which no later chunk adds anything, and move on."""
        done: Audio = self._total[..., :samples] / self._weight[:samples]
        self._total = np.roll(self._total, -samples, axis=-1)
        self._weight = np.roll(self._weight, -samples)
        self._total[..., -samples:] = 0
        self._weight[-samples:] = 0
        return done


def _triangle(samples: int) -> Audio:
    """Weights that rise from near 0 to 1 in the middle and fall again, never 0."""
    distance = np.abs(np.arange(samples) - (samples - 1) / 2)
    return (1 - distance / (samples / 2 + 1)).astype(np.float32)


def _check(waveform: Audio, channels: int) -> None:
    if not isinstance(waveform, np.ndarray) or not np.issubdtype(waveform.dtype, np.floating):
        kind = getattr(waveform, "dtype", type(waveform).__name__)
        raise DemixError(
            f"waveform: expected a NumPy array of floats, received {kind}; "
            "divide whole numbers by their full scale first, as 32768 for int16"
        )
    if waveform.ndim != 2 or waveform.shape[0] != channels or waveform.shape[1] == 0:
        raise DemixError(
            f"waveform: expected ({channels}, samples) with at least one sample, received {waveform.shape}; "
            "repeat a mono channel or resample first"
        )
    if not np.abs(waveform).max() <= GREATEST_SAMPLE:  # NaN is refused too
        raise DemixError(
            f"waveform: expected finite samples, full scale at 1 and none beyond {GREATEST_SAMPLE:g}, "
            "received NaN, infinity or more; mend the recording first"
        )
