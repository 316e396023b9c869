"""The contract between data sets and everything that reads music: a `Track`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from demix.config import STEMS
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Track:
    """One song: a mixture and the four stems it was mixed from, read when asked for.

    Args:
        name: what the song is called in tables and in the index; unique in its data set.
        split: `train`, `valid` or `test`; nothing is ever chosen on `test`.
        read: reads the whole song: `(stems, channels, samples)` in the order of `STEMS`, and the mixture
            `(channels, samples)` or None where the mixture is the sum of the stems. Float32, 44.1 kHz,
            stereo, not clipped. Raises `DemixError` for a song that cannot be read.
        paths: the files behind the song (their size and time say whether a prepared copy is current).
    """

    name: str
    split: Split
    read: Callable[[], tuple[Audio, Audio | None]]
    paths: tuple[Path, ...]

    def stems(self) -> Audio:
        """Return all stems, `(stems, channels, samples)`."""
        return self.read()[0]

    def stem(self, name: str) -> Audio:
        """Return one stem, `(channels, samples)`.

        Raises:
            DemixError: for a name that is not in `STEMS`.
        """
        if name not in STEMS:
            raise DemixError(f"expected one of the stems {', '.join(STEMS)}, received {name!r}")
        return self.read()[0][STEMS.index(name)]

    def mixture(self) -> Audio:
        """Return the mixture, `(channels, samples)`: the data set's own, or the sum of the stems."""
        return self.load()[1]

    def load(self) -> tuple[Audio, Audio]:
        """Return stems and mixture in one read."""
        stems, mixture = self.read()
        return stems, stems.sum(axis=0) if mixture is None else mixture
