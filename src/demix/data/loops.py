"""Counterfactual loop songs: everything is equal but the order of drum hits.

Does a net separate drums better because their loop repeats? Songs answer this only by accident: where drums repeat,
much else differs. Here three songs of one base share the hits (cut from the track's own drums), how often each is
played in every loop, the grid, and vocals, bass and other (an excerpt of the same track). Only the order of the hits
differs: it repeats exactly, with variations, or never. A hit ends where the next step begins, so hits never overlap:
drums of all three conditions have the same energy in every loop, and the same long-term spectrum but for what filters
smear over the borders of steps. The middle loop is the same in all three: a net that separates it differently has heard
what surrounds it.

The songs are written as a folder data set with `songs.csv` (which song is what), `loops.json` (how it was made) and the
split `test`.
"""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from demix.config import SAMPLE_RATE, STEMS
from demix.data import folder as folder_set
from demix.data.loop_bases import Base, make_bases
from demix.data.loop_patterns import CONDITIONS, Loops
from demix.data.stored import fingerprint
from demix.data.track import Track
from demix.errors import DemixError
from demix.files import atomic, atomic_folder, read_record
from demix.rows import write_rows

SONGS_FILE = "songs.csv"
RECORD_FILE = "loops.json"
FORMAT = 1  # raise it when the same settings make other songs


class LoopSong(NamedTuple):
    """A row of `songs.csv`.

    Args:
        track: the loop song's name.
        base: what its three conditions share.
        song: the track it was made from.
        condition: one of `CONDITIONS`.
        seed: of the settings.
    """

    track: str
    base: str
    song: str
    condition: str
    seed: int


def write_loops(
    tracks: Sequence[Track], out: Path, settings: Loops, *, on_base: Callable[[str], None] | None = None
) -> list[Track]:
    """Write loop songs made from tracks into a folder of songs; one that holds these very songs is left as it is.

    Args:
        tracks: what hits and accompaniments are taken from, in turn; by rights songs that no net was trained on.
        out: the folder. It appears whole or not at all, in the place of loop songs that were made otherwise.
        settings: length, number and seed; equal settings and tracks give equal bytes.
        on_base: told the name of every base as it is begun.

    Returns:
        The songs, `test`, three for each base.

    Raises:
        DemixError: without tracks, when none has enough drums, for one that cannot be read, or for an `out` that holds
            something else.
    """
    if not tracks:
        raise DemixError("loops: expected tracks to make loop songs from, received none; choose another data set")
    made_from = {"format": FORMAT, "settings": asdict(settings), "sources": _fingerprints(tracks)}
    if read_record(out / RECORD_FILE).get("made_from") != made_from:
        bases: list[dict[str, Any]] = []
        skipped: dict[str, str] = {}
        with atomic_folder(out, mark=RECORD_FILE) as part:
            for base in make_bases(tracks, settings, skipped=skipped, on_base=on_base):
                _write_base(base, part)
                bases.append(_describe(base))
            if not bases:
                raise DemixError(f"{next(iter(skipped))}: {next(iter(skipped.values()))}; there is no other track")
            bases.sort(key=lambda each: str(each["base"]))
            _write_songs(part / SONGS_FILE, bases, settings.seed)
            with atomic(part / RECORD_FILE) as file:
                record = {"made_from": made_from, "bases": bases, "skipped": skipped}
                file.write((json.dumps(record) + "\n").encode())
    return folder_set.tracks(out)


def read_songs(path: Path) -> list[LoopSong]:
    """Read `songs.csv`.

    Raises:
        DemixError: when it is missing or is not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = list(csv.reader(file)) or [[]]
        rows = [LoopSong(track, base, song, condition, int(seed)) for track, base, song, condition, seed in lines]
    except (OSError, ValueError, csv.Error) as error:
        raise DemixError(f"{path}: cannot be read as a table of loop songs ({error}); make them again") from error
    if header != list(LoopSong._fields) or any(row.condition not in CONDITIONS for row in rows):
        raise DemixError(f"{path}: expected {','.join(LoopSong._fields)} with known conditions; make the songs again")
    return rows


def read_loop_seconds(folder: Path) -> float:
    """Return the length of the loops from a folder with `loops.json`.

    Raises:
        DemixError: when the file is missing or does not say it.
    """
    try:
        return float(read_record(folder / RECORD_FILE)["made_from"]["settings"]["loop_seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise DemixError(f"{folder / RECORD_FILE}: expected how the loops were made, found no {error}") from error


def _write_base(base: Base, out: Path) -> None:
    from demix import audio  # imported here: training also runs where no audio library is installed

    for condition, stems in base.stems.items():
        for stem, waveform in zip(STEMS, stems, strict=True):
            if waveform.any():  # a stem without a file is silence
                path = out / "test" / f"{base.name}-{condition}" / f"{stem}.flac"
                audio.write(path, waveform, sample_rate=SAMPLE_RATE)


def _describe(base: Base) -> dict[str, Any]:
    return {
        "base": base.name,
        "song": base.song,
        "start_seconds": base.start_seconds,
        "gain_db": round(20 * float(np.log10(base.gain)), 3),
        "hits": [{"kind": hit.kind, "at_seconds": round(hit.start / SAMPLE_RATE, 4)} for hit in base.hits],
        "patterns": {condition: pattern.tolist() for condition, pattern in base.patterns.items()},
    }


def _write_songs(path: Path, bases: Iterable[dict[str, Any]], seed: int) -> None:
    songs = [
        LoopSong(f"{base['base']}-{condition}", base["base"], base["song"], condition, seed)
        for base in bases
        for condition in CONDITIONS
    ]
    write_rows(path, LoopSong._fields, songs)


def _fingerprints(tracks: Iterable[Track]) -> dict[str, str]:
    return {track.name: fingerprint(track) for track in tracks}
