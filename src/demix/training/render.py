"""From what a batch draws to its stems: cut, transposed, scaled, on whatever device trains.

The int16 samples come from one of two places, and make the same batch: a run of pieces that was read from the memory
maps, or whole songs that lie in the device's memory.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from demix import config
from demix.data.segments import Draws


def render(pieces: Iterator[Tensor], draws: Draws, *, samples: int, device: torch.device) -> Tensor:
    """Return a batch's stems, float32 `(items, stems, channels, samples)`; the mixture is their sum.

    Args:
        pieces: int16 `(channels, length)` of every stem of every item, in this order; empty ones of stems that rest.
        draws: what the batch is made of.
        samples: length of a segment.
        device: where the pieces lie and the stems shall.
    """
    stems = torch.zeros((*draws.length.shape, config.CHANNELS, samples), device=device)
    for index, piece in zip(np.ndindex(*draws.length.shape), pieces, strict=True):
        if draws.length[index]:
            stem = stems[index]
            stem.copy_(_stretch(piece.flip(0) if draws.swap[index] else piece, samples))
    stems *= torch.from_numpy(draws.factor)[..., None, None].to(device, non_blocking=True)
    return stems


def split(taken: Tensor, draws: Draws) -> Iterator[Tensor]:
    """Cut what `demix.data.segments.take` read into its pieces."""
    place = 0
    for length in draws.length.flat:
        size = config.CHANNELS * int(length)
        yield taken[place : place + size].view(config.CHANNELS, int(length))
        place += size


def look_up(songs: Sequence[Tensor], draws: Draws) -> Iterator[Tensor]:
    """Find the pieces in whole songs `(stems, channels, samples)`."""
    for index, length in np.ndenumerate(draws.length):
        start = int(draws.start[index])
        yield songs[int(draws.song[index])][index[1], :, start : start + int(length)]


def _stretch(piece: Tensor, samples: int) -> Tensor:
    """Play a piece faster or slower so that it lasts `samples`, which transposes it.

    Straight lines between samples are coarse above some kHz; for training data that does not matter, and it is quick.
    """
    if piece.shape[-1] == samples:
        return piece
    return functional.interpolate(piece.float()[None], size=samples, mode="linear")[0]
