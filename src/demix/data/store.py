"""Prepared data sets: every song decoded once, in parallel, to files that numpy alone can read.

Layout of a store (`stored.py` knows one song):
    `<slug>.npy`        int16 `(4 or 5, channels, samples)`: the stems in the order of `STEMS`, then the
                        mixture where it is not the sum of the stems
    `<slug>.index.npy`  the song's row, written after the song: a current row vouches for a whole song
    `index.npy`         all rows as one structured array; absent while songs are being prepared

Kill it at any moment and run it again: what has a current row is kept, the rest is decoded again.
"""

import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from demix.data.stored import StoredTrack, fingerprint, read_current, read_rows, to_track, write_song
from demix.data.track import Track
from demix.errors import DemixError
from demix.files import atomic, writing

INDEX = "index.npy"
Row = npt.NDArray[np.void]


@dataclass(frozen=True)
class PrepareEvent:
    """One song is done: `prepared`, `skipped` (it was there already) or `failed` (`message` says why)."""

    name: str
    status: Literal["prepared", "skipped", "failed"]
    done: int
    total: int
    message: str = ""


@dataclass(frozen=True)
class PrepareResult:
    """What `prepare` did.

    Args:
        folder: the store.
        prepared: names of the songs decoded now.
        skipped: names of the songs that were there already.
        failed: name -> reason of the songs that cannot be read; they are not in the index.
    """

    folder: Path
    prepared: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: dict[str, str]


def prepare(
    tracks: Sequence[Track],
    folder: Path,
    *,
    jobs: int = 1,
    on_event: Callable[[PrepareEvent], None] | None = None,
) -> PrepareResult:
    """Decode songs into a store.

    Songs that the store already holds, made from the same files, are kept. A song that cannot be read is
    reported in the result and left out of the index; the others go on.

    Args:
        tracks: the songs of a data set, all splits; the index lists these and no others.
        folder: the store, created when missing.
        jobs: processes to decode with. Each holds one whole song as floats (about 90 MB a minute). With more
            than one, a script that calls this needs the `if __name__ == "__main__":` guard.
        on_event: told about every song as it is done.

    Returns:
        Which songs were prepared, skipped and failed.

    Raises:
        DemixError: for an empty list, two songs of one name, `jobs` under 1, a folder that cannot be written,
            or a decoding process that was killed.
    """
    if not tracks:
        raise DemixError("expected at least one song to prepare, received none")
    if jobs < 1:
        raise DemixError(f"expected at least 1 job, received {jobs}")
    twice = [name for name, count in Counter(track.name for track in tracks).items() if count > 1]
    if twice:
        raise DemixError(f"expected songs with different names, received {twice[0]!r} more than once; rename one")
    if all(read_current(track, folder) is not None for track in tracks):
        return _prepare(tracks, folder, jobs, on_event)
    # Of two runs that begin at once the second waits: they would write the same files.
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        return _prepare(tracks, folder, jobs, on_event)
    finally:
        lock.release()


def _prepare(
    tracks: Sequence[Track], folder: Path, jobs: int, on_event: Callable[[PrepareEvent], None] | None
) -> PrepareResult:
    """Decode what is not there, alone with the store."""
    rows = {track.name: row for track in tracks if (row := read_current(track, folder)) is not None}
    skipped = tuple(rows)
    failed: dict[str, str] = {}
    done = 0

    def tell(name: str, status: Literal["prepared", "skipped", "failed"], message: str = "") -> None:
        nonlocal done
        done += 1
        if on_event is not None:
            on_event(PrepareEvent(name, status, done, len(tracks), message))

    for name in skipped:
        tell(name, "skipped")
    pending = [track for track in tracks if track.name not in rows]
    if pending:
        _remove_index(folder)  # until all rows are there again this is no store
    for name, outcome in _run(pending, folder, jobs):
        if isinstance(outcome, str):
            failed[name] = outcome
            tell(name, "failed", outcome)
        else:
            rows[name] = outcome
            tell(name, "prepared")
    if rows:
        _write_index(folder / INDEX, np.concatenate([rows[track.name] for track in tracks if track.name in rows]))
    prepared = tuple(name for name in rows if name not in skipped)
    return PrepareResult(folder, prepared, skipped, failed)


def open_store(folder: Path) -> list[StoredTrack]:
    """List the songs of a store.

    Args:
        folder: what `prepare` wrote.

    Returns:
        The songs in the order in which they were prepared, each checked to be there whole.

    Raises:
        DemixError: when the folder is no store, its preparation did not end, or a song's file is damaged.
    """
    index = folder / INDEX
    if not index.is_file():
        raise DemixError(
            f"{folder}: expected a prepared data set with an {INDEX}, found none; run `demix data prepare` "
            "(again: it goes on where it stopped)"
        )
    tracks = [to_track(row, folder) for row in read_rows(index)]
    for track in tracks:
        track.audio()
    return tracks


def _write_index(path: Path, rows: Row) -> None:
    """Write the index unless it is there as it should be: runs that open one set at a time leave each other alone."""
    content = io.BytesIO()
    np.save(content, rows)
    if path.is_file() and path.read_bytes() == content.getvalue():
        return
    with atomic(path) as file:
        file.write(content.getbuffer())


def _remove_index(folder: Path) -> None:
    try:
        (folder / INDEX).unlink(missing_ok=True)
    except OSError as error:
        raise DemixError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def _run(tracks: Sequence[Track], folder: Path, jobs: int) -> Iterator[tuple[str, Row | str]]:
    """Yield each song's name with its row, or with the reason why it cannot be read, as they are done."""
    if jobs == 1 or len(tracks) < 2:
        yield from ((track.name, _prepare_song(track, folder)) for track in tracks)
        return
    # spawn on every system: a fork of a process that runs threads (torch, a progress bar) may hang
    executor = ProcessPoolExecutor(min(jobs, len(tracks)), mp_context=get_context("spawn"), initializer=end_with_parent)
    try:
        names = {executor.submit(_prepare_song, track, folder): track.name for track in tracks}
        for future in as_completed(names):
            yield names[future], future.result()
    except BrokenProcessPool as error:
        raise DemixError(
            f"{folder}: a decoding process was killed, most often for lack of memory; run again with fewer "
            "jobs (songs that are done are kept)"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _prepare_song(track: Track, folder: Path) -> Row | str:
    """Decode and write one song; return what is wrong with the song, raise what is wrong with the disk."""
    try:
        # taken before reading: a file that changes meanwhile is prepared again next time
        source = fingerprint(track)
        stems, mixture = track.read()
    except DemixError as error:
        return str(error)
    return write_song(track, folder, stems=stems, mixture=mixture, source=source)


def end_with_parent() -> None:
    """Let a process of a pool end when the process that started it is killed, instead of waiting for ever."""
    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
