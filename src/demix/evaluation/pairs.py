"""The same songs under two systems: their energies side by side, seed by seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.scores import SecondRow
from demix.metrics import METRICS, Energies, Floats

BLOCK_SECONDS = 10  # music stays alike for seconds; blocks of 5 s gave intervals that were too narrow

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class SongPair:
    """One song's energies `(stems, seconds)` under both systems; one entry per training seed."""

    first: tuple[Energies, ...]
    second: tuple[Energies, ...]

    def differences(self, metric: str, seconds: Indices | slice = slice(None)) -> Floats:
        """Scores' differences over the given seconds: `(stems, ..., seeds)` for indices `(..., seconds)`.

        What is undefined under one seed is so under all: a mean over other seeds would be another quantity.
        """
        first, second = (
            np.stack([METRICS[metric].score(_take(song, seconds)) for song in songs], axis=-1)
            for songs in (self.first, self.second)
        )
        defined = (np.isfinite(first) & np.isfinite(second)).all(axis=-1, keepdims=True)
        where = np.broadcast_to(defined, first.shape)
        return np.asarray(np.subtract(first, second, out=np.full(first.shape, np.nan), where=where))

    def blocks(self) -> Indices:
        """Consecutive seconds in blocks of nearly equal length of `BLOCK_SECONDS` on: `(blocks, seconds)`.

        Shorter blocks are filled up with the index of the silent second that `_gather` puts at the end.
        """
        seconds = self.first[0].reference.shape[-1] - 1
        parts = np.array_split(np.arange(seconds), max(1, seconds // BLOCK_SECONDS))
        table = np.full((len(parts), len(parts[0])), seconds)
        for block, part in enumerate(parts):
            table[block, : len(part)] = part
        return table


def pair_songs(rows: Iterable[SecondRow], first: Sequence[str], second: Sequence[str]) -> list[SongPair]:
    """Gather the energies of both systems' runs song by song.

    Args:
        rows: rows of `seconds.csv`; other runs' rows are passed over.
        first: the runs of one system, one per seed.
        second: those of the other; the k-th run is paired with the k-th.

    Raises:
        DemixError: when the numbers of runs differ, a run is named twice or was not scored, or songs are not the same.
    """
    if len(first) != len(second) or not first:
        raise DemixError(
            f"seeds: expected as many runs of one system as of the other, received {len(first)} and {len(second)}; "
            "train both with the same seeds"
        )
    for names in (first, second):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DemixError(f"{twice[0]}: expected every run once, received it twice; give each seed's run a name")
    cells: dict[str, dict[str, list[SecondRow]]] = {name: {} for name in (*first, *second)}
    for row in rows:
        if row.system in cells:
            cells[row.system].setdefault(row.track, []).append(row)
    for name, songs in cells.items():
        if not songs:
            raise DemixError(f"{name}: expected a system that was scored, received one without rows")
        unpaired = cells[first[0]].keys() ^ songs.keys()
        if unpaired:
            raise DemixError(
                f"{sorted(unpaired)[0]}: expected scores of both {first[0]} and {name} on every song, received "
                "those of one; score both on the same songs"
            )
    return [
        SongPair(*(tuple(_gather(cells[name][track]) for name in names) for names in (first, second)))
        for track in cells[first[0]]
    ]


def _take(song: Energies, seconds: Indices | slice) -> Energies:
    return Energies(song.reference[:, seconds], song.error[:, seconds], song.counted[:, seconds])


def _gather(rows: Sequence[SecondRow]) -> Energies:
    """One song's energies `(stems, seconds + 1)`; the last second is silent and counts nowhere."""
    shape = len(STEMS), 2 + max(row.second for row in rows)
    song = Energies(np.zeros(shape), np.zeros(shape), np.zeros(shape, bool))
    for row in rows:
        where = STEMS.index(row.stem), row.second
        song.reference[where] = row.reference_energy
        song.error[where] = row.error_energy
        song.counted[where] = row.counted
    return song
