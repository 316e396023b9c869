"""Which songs are meant: files, folders with all below them, and what comes through standard input."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demix.errors import DemixError
from demix.files import atomic

STDIN = "-"
# A folder also holds covers and lists; a file that is named is tried whatever its suffix.
_SUFFIXES = """
    3g2 3gp aac ac3 adts aif aifc aiff alac amr ape asf au avi bwf caf dts dtshd eac3 ec3 f4v flac flv m2ts m4a m4b m4r
    m4v mka mkv mov mp1 mp2 mp3 mp4 mpa mpc mpeg mpg mts oga ogg ogv ogx opus ra rf64 rm snd spx tta ts vob w64 wav
    webm wma wmv wv
"""
SUFFIXES = frozenset(f".{name}" for name in _SUFFIXES.split())


@dataclass(frozen=True)
class Song:
    """A song to separate.

    Args:
        path: where its bytes are; a folder where no song could be found in it.
        label: what it is called in messages.
        track: name of its stems' folder, below the folder that it was found in.
        suffix: of its name, with the dot; empty for standard input.
        keeps_stems: whether stems that are there already are its own; of what is piped in nobody knows.
    """

    path: Path
    label: str
    track: str
    suffix: str
    keeps_stems: bool = True


@contextmanager
def open_songs(inputs: Sequence[str | Path], *, out: Path, models: Sequence[str] = ()) -> Iterator[list[Song]]:
    """Find the songs of some files and folders, each once, in a steady order.

    A folder gives every file below it that is named like audio or video, but nothing hidden and no stems of before.
    A folder without any is given back as if it were a file, as are a folder below it that cannot be read and a file
    that is not there: who opens it says why not.
    Standard input, `-`, is kept in a hidden file in `out` as long as the block lasts: formats whose index comes last
    cannot be read from a pipe.

    Args:
        inputs: files, folders, `-`.
        out: where stems will go: nothing in it is a song, unless it is, or is above, the folder itself.
        models: folders in `out` of which nothing is a song in any case.

    Raises:
        DemixError: for an empty name, or `-` when nothing is piped in.
    """
    songs: dict[Path, Song] = {}
    piped = out / ".stdin.part"
    try:
        for each in inputs:
            if str(each) == STDIN:
                _keep_stdin(piped)
                songs[piped] = Song(piped, "standard input", "stdin", "", keeps_stems=False)
                continue
            if not str(each):
                raise DemixError("song: expected a file or a folder, received an empty name; use . for this folder")
            given = Path(each)
            whole = given.resolve().is_relative_to(out.resolve())
            skipped = {(out / model).resolve() for model in models} if whole else {out.resolve()}
            for path in _audio_below(given, skipped) or [given]:
                folder = path.parent.relative_to(given) if path != given else Path()
                stem = path.stem.strip(".") and path.stem  # `...mp3` has no name but its suffix
                track = folder / (stem or path.name)
                label = str(each) if path == given else str(path)
                songs.setdefault(path.resolve(), Song(path, label, track.as_posix(), path.suffix))
        yield list(songs.values())
    finally:
        if piped in songs:
            piped.unlink(missing_ok=True)


def _audio_below(folder: Path, skipped: set[Path]) -> list[Path]:
    """Return the songs below a folder, and the folders that cannot be read; links to folders are followed once."""
    if not folder.is_dir():
        return []
    found: list[Path] = []
    seen = set(skipped)

    def note(error: OSError) -> None:
        found.append(Path(error.filename))

    for place, folders, names in os.walk(folder, onerror=note, followlinks=True):
        here = Path(place)
        if here.resolve() in seen:
            folders.clear()
            continue
        seen.add(here.resolve())
        folders[:] = [name for name in folders if not name.startswith(".")]
        songs = (here / name for name in names if not name.startswith("."))
        found += [path for path in songs if path.suffix.lower() in SUFFIXES and path.is_file()]
    return sorted(found)


def _keep_stdin(path: Path) -> None:
    if sys.stdin is None or sys.stdin.isatty():
        raise DemixError("-: expected a song through standard input, but nothing is piped in; use demix ... < song.mp3")
    with atomic(path) as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
