"""One prepared song: an int16 memory map and its row of the index.

The sample value is int16 * scale. The scale is one number per song, large enough that the loudest sample of
the song, which in decoded AAC passes 1, still fits: nothing is clipped, and the stems keep their balance.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from demix.config import STEMS
from demix.data.levels import level_db, silent_share
from demix.data.track import Audio, Split, Track
from demix.errors import DemixError
from demix.files import atomic

FORMAT = 1  # part of every fingerprint: raise it when the layout changes and songs are prepared again
SUM_TOLERANCE = 3 / 32768  # a 16-bit mixture and four 16-bit stems are each rounded by up to half a step
INT16_MAX = 32767


@dataclass(frozen=True)
class StoredTrack:
    """One song of a store, as its row of the index tells it.

    Args:
        name: what the song is called.
        split: `train`, `valid` or `test`.
        samples: length of the song.
        scale: sample value of one int16 step.
        path: the int16 file.
        has_mixture: whether row 4 of the audio is the mixture; else the mixture is the sum of the stems.
        rms_db: level of each stem over the whole song in dBFS, in the order of `STEMS`; -inf for digital
            silence.
        peak: largest absolute sample of each stem.
        silent_share: share of each stem's whole seconds under -60 dBFS, 0 to 1.
        dataset: the key of `data.also` that it came by; empty for a song of `data.dataset`.
    """

    name: str
    split: Split
    samples: int
    scale: float
    path: Path
    has_mixture: bool
    rms_db: tuple[float, ...]
    peak: tuple[float, ...]
    silent_share: tuple[float, ...]
    dataset: str = ""

    def audio(self) -> npt.NDArray[np.int16]:
        """Map the song: int16 `(4 or 5, channels, samples)`, stems in the order of `STEMS`, then the mixture.

        Raises:
            DemixError: when the file is gone or has another shape than the index says.
        """
        return open_audio(self.path, samples=self.samples, has_mixture=self.has_mixture)


def open_audio(path: Path, *, samples: int, has_mixture: bool) -> npt.NDArray[np.int16]:
    """Map a song's int16 file after checking that it is the one its row describes."""
    expected = (len(STEMS) + has_mixture, 2, samples)
    try:
        audio: npt.NDArray[np.int16] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DemixError(f"{path}: expected a prepared song, received {error}; prepare the set again") from error
    if audio.dtype != np.int16 or audio.shape != expected:
        raise DemixError(
            f"{path}: expected int16 {expected}, received {audio.dtype} {audio.shape}; prepare the set again"
        )
    return audio


def slug(name: str) -> str:
    """Return a file name for a song: readable, safe on every system, and different for different names."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    return f"{words}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def fingerprint(track: Track) -> str:
    """Return a hash of what the song is made from: split, file names, sizes and times of change.

    Raises:
        DemixError: when one of the files is missing.
    """
    parts = [f"{FORMAT} {track.name} {track.split}"]
    for path in track.paths:
        try:
            stat = path.stat()
        except OSError as error:
            raise DemixError(f"{path}: cannot be read ({error.strerror}); put the file back") from error
        parts.append(f"{path.name} {stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def write_song(track: Track, folder: Path, *, stems: Audio, mixture: Audio | None, source: str) -> npt.NDArray[np.void]:
    """Write a song's memory map, then its row.

    Args:
        track: whose name and split to record.
        folder: the store.
        stems: `(stems, channels, samples)` in the order of `STEMS`.
        mixture: `(channels, samples)`, or None where it is the sum of the stems; one that is the sum but for
            the rounding of 16-bit files is not stored either.
        source: the fingerprint of the files, taken before they were read.

    Returns:
        The row: a structured array of length 1.

    Raises:
        DemixError: when a file cannot be written.
    """
    if mixture is not None and np.abs(mixture - stems.sum(axis=0)).max(initial=0.0) <= SUM_TOLERANCE:
        mixture = None
    rows = [*stems] if mixture is None else [*stems, mixture]
    peaks = [float(np.abs(row).max()) for row in rows]
    scale = max(1.0, *peaks) / INT16_MAX
    audio = np.empty((len(rows), *rows[0].shape), dtype=np.int16)
    for target, row in zip(audio, rows, strict=True):
        np.rint(row / np.float32(scale), out=target, casting="unsafe")
    path = folder / f"{slug(track.name)}.npy"
    with atomic(path) as file:
        np.save(file, audio)
    fields = {
        "name": track.name,
        "split": track.split,
        "file": path.name,
        "samples": audio.shape[-1],
        "scale": scale,
        "mixture": mixture is not None,
        "fingerprint": source,
        "rms_db": [level_db(stem) for stem in stems],
        "peak": peaks[: len(STEMS)],
        "silent_share": [silent_share(stem) for stem in stems],
    }
    columns = [(key, np.asarray(value).dtype, np.asarray(value).shape) for key, value in fields.items()]
    record = np.array([tuple(fields.values())], dtype=columns)
    with atomic(row_path(folder, track.name)) as file:
        np.save(file, record)
    return record


def row_path(folder: Path, name: str) -> Path:
    """Return where a song's row lies."""
    return folder / f"{slug(name)}.index.npy"


def read_current(track: Track, folder: Path) -> npt.NDArray[np.void] | None:
    """Return the song's row if the store holds this very song whole, else None."""
    path = row_path(folder, track.name)
    if not path.is_file():
        return None
    try:
        record = read_rows(path)
        stored = to_track(record[0], folder)
        stored.audio()
        return record if record["fingerprint"][0] == fingerprint(track) else None
    except DemixError:  # damaged, or its source is gone: preparing it again says what is wrong
        return None


def read_rows(path: Path) -> npt.NDArray[np.void]:
    """Read rows of the index.

    Raises:
        DemixError: when the file is not an index.
    """
    try:
        rows: npt.NDArray[np.void] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DemixError(f"{path}: expected an index of prepared songs, received {error}") from error
    missing = {"name", "split", "file", "samples", "scale"} - set(rows.dtype.names or ())
    if missing:
        raise DemixError(f"{path}: expected an index of prepared songs, received an array without {missing}")
    return rows


def to_track(row: np.void, folder: Path) -> StoredTrack:
    """Turn a row of the index into the song that it describes."""
    return StoredTrack(
        name=str(row["name"]),
        split=cast("Split", str(row["split"])),
        samples=int(row["samples"]),
        scale=float(row["scale"]),
        path=folder / str(row["file"]),
        has_mixture=bool(row["mixture"]),
        rms_db=tuple(row["rms_db"].tolist()),
        peak=tuple(row["peak"].tolist()),
        silent_share=tuple(row["silent_share"].tolist()),
    )
