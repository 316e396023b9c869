"""Which songs are meant: files, folders with all below them, and what comes through standard input."""

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
    3gp aac ac3 aif aifc aiff alac ape asf au avi caf dts flac flv m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpc mpeg mpg
    oga ogg ogv opus rf64 snd spx tta ts w64 wav webm wma wmv wv
"""
SUFFIXES = frozenset(f".{name}" for name in _SUFFIXES.split())


@dataclass(frozen=True)
class Song:
    """A song to separate.

    Args:
        path: where its bytes are.
        label: what it is called in messages.
        track: name of its stems' folder, below the folder that it was found in.
    """

    path: Path
    label: str
    track: str


@contextmanager
def open_songs(inputs: Sequence[str | Path], *, out: Path) -> Iterator[list[Song]]:
    """Find the songs of some files and folders, each once, in a steady order.

    A folder gives every file below it that is named like audio or video, but nothing hidden and nothing inside `out`.
    A folder without any is given back as if it were a file, as is a file that is not there: who opens it says why not.
    Standard input, `-`, is kept in a hidden file in `out` as long as the block lasts: formats whose index comes last
    cannot be read from a pipe.

    Args:
        inputs: files, folders, `-`.
        out: where stems will go.
    """
    songs: dict[Path, Song] = {}
    piped = out / ".stdin.part"
    try:
        for each in inputs:
            if str(each) == STDIN:
                _keep_stdin(piped)
                songs[piped] = Song(piped, "standard input", "stdin")
                continue
            given = Path(each)
            for path in _audio_below(given, out) or [given]:
                track = path.relative_to(given).with_suffix("") if path != given else Path(path.stem)
                songs.setdefault(path.resolve(), Song(path, str(path), track.as_posix()))
        yield list(songs.values())
    finally:
        if piped in songs:
            piped.unlink(missing_ok=True)


def _audio_below(folder: Path, out: Path) -> list[Path]:
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in SUFFIXES and path.is_file():
            found.append(path)
    return [path for path in found if not path.resolve().is_relative_to(out.resolve())]


def _keep_stdin(path: Path) -> None:
    if sys.stdin is None or sys.stdin.isatty():
        raise DemixError("-: expected a song through standard input, but nothing is piped in; use demix ... < song.mp3")
    with atomic(path) as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
