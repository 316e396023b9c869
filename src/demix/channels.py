"""Any sample rate and any number of channels around a separator that knows 44.1 kHz and two; block by block."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE, STEMS

if TYPE_CHECKING:
    from demix.separator import Separator

Audio = npt.NDArray[np.float32]


def separate_blocks(
    separator: "Separator", blocks: Iterable[Audio], *, sample_rate: int, keep_rate: bool = True
) -> Iterator[Audio]:
    """Cut a waveform of any rate and channels into stems of the same rate and channels.

    Channels are given to the net in pairs, in their order; a single one is doubled and the two results averaged.
    Another rate is resampled to 44.1 kHz and back. What that loses of the mixture (all beyond 22.05 kHz) is left in
    `other`, so that stems that add up at 44.1 kHz add up to the input at its own rate.

    Args:
        separator: a net of 44.1 kHz.
        blocks: `(channels, samples)`, float32 and finite.
        sample_rate: of the blocks, in Hz.
        keep_rate: give the stems at `sample_rate`; else at 44.1 kHz.

    Yields:
        `(stems, channels, samples)` in the order of `STEMS`; at `sample_rate` exactly as many samples as came in.
    """
    if sample_rate == SAMPLE_RATE:
        yield from _separate_channels(separator, blocks)
        return
    came, mixture = _Held(), _Held()
    stems = _separate_channels(separator, mixture.watch(resample_blocks(came.watch(blocks), sample_rate, SAMPLE_RATE)))
    if not keep_rate:
        for block in stems:
            mixture.take(block.shape[-1])
            yield block
        return
    # `other` goes back as its difference to the mixture and meets the mixture as it came.
    differences = (_less_mixture(block, mixture.take(block.shape[-1])) for block in stems)
    for block in resample_blocks(differences, SAMPLE_RATE, sample_rate):
        kept = block[..., : came.samples]
        kept[-1] += came.take(kept.shape[-1])
        if kept.shape[-1]:
            yield kept
    if came.samples:  # resampling back may end a sample or two early
        rest = came.take(came.samples)
        end = np.zeros((len(STEMS), *rest.shape), np.float32)
        end[-1] = rest
        yield end


def _separate_channels(separator: "Separator", blocks: Iterable[Audio]) -> Iterator[Audio]:
    """Separate `(channels, samples)` of 44.1 kHz in groups as large as the net wants."""
    size = separator.channels
    channels = 0

    def groups() -> Iterator[Audio]:
        nonlocal channels
        for block in blocks:
            channels = block.shape[0]
            count = -(-channels // size)
            filled = block[[min(index, channels - 1) for index in range(count * size)]]
            yield filled.reshape(count, size, -1)

    for stems in separator.stream(groups()):
        flat = np.moveaxis(stems, 0, 1).reshape(len(STEMS), -1, stems.shape[-1])
        if flat.shape[1] > channels:
            flat[:, channels - 1] = flat[:, channels - 1 :].mean(axis=1)
        yield flat[:, :channels]


def _less_mixture(stems: Audio, mixture: Audio) -> Audio:
    stems[-1] -= mixture
    return stems


def resample_blocks(blocks: Iterable[Audio], rate: int, new_rate: int) -> Iterator[Audio]:
    """Resample blocks `(..., samples)`; in all round(samples * new_rate / rate), give or take one."""
    import soxr

    stream: soxr.ResampleStream | None = None
    lead: tuple[int, ...] = ()
    for block in blocks:
        lead = block.shape[:-1]
        rows = block.reshape(-1, block.shape[-1])
        if stream is None:
            stream = soxr.ResampleStream(rate, new_rate, len(rows), dtype="float32", quality="HQ")
        done = stream.resample_chunk(np.ascontiguousarray(rows.T))
        if len(done):
            yield np.ascontiguousarray(done.T).reshape(*lead, -1)
    if stream is not None:
        done = stream.resample_chunk(np.zeros((0, int(np.prod(lead))), np.float32), last=True)
        if len(done):
            yield np.ascontiguousarray(done.T).reshape(*lead, -1)


class _Held:
    """What has gone by and is still needed: a queue of samples."""

    def __init__(self) -> None:
        self._blocks: list[Audio] = []
        self.samples = 0

    def watch(self, blocks: Iterable[Audio]) -> Iterator[Audio]:
        """Hand the blocks on and keep them."""
        for block in blocks:
            self._blocks.append(block)
            self.samples += block.shape[-1]
            yield block

    def take(self, samples: int) -> Audio:
        """Return the oldest `samples`, `(channels, samples)`, and forget them."""
        taken: list[Audio] = []
        missing = samples
        while missing:
            first = self._blocks[0]
            taken.append(first[:, :missing])
            missing -= taken[-1].shape[-1]
            if taken[-1].shape[-1] == first.shape[-1]:
                self._blocks.pop(0)
            else:
                self._blocks[0] = first[:, taken[-1].shape[-1] :]
        self.samples -= samples
        return np.concatenate(taken, axis=-1) if taken else np.zeros((1, 0), np.float32)
