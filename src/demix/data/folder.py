"""Any folder of songs: one sub-folder per song, one file per stem."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from demix.config import SAMPLE_RATE, STEMS
from demix.data.track import SPLITS, Audio, Split, Track
from demix.errors import DemixError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aif", ".aiff")
MIXTURE = "mixture"


def tracks(root: Path | None, split: Split | None = None) -> list[Track]:
    """List the songs of a folder.

    Every sub-folder with a file `vocals`, `drums`, `bass` or `other` (wav, flac, ogg, mp3, m4a, aiff) is a
    song; a stem without a file is silence, and without a file `mixture` the mixture is the sum of the stems.
    A folder that holds stem files itself is one song.

    Splits are the sub-folders `train`, `valid` and `test`. A folder without them is scored in full: all its
    songs are `test`.

    Args:
        root: the folder.
        split: only the songs of this split.

    Returns:
        The songs in the order of their splits and names; empty when the folder has none in `split`.

    Raises:
        DemixError: when there is no such folder, no song in it, a song beside the split folders, or a name
            that occurs twice.
    """
    root = check_root(root)
    if find_files(root):
        return select([to_track(root.resolve(), "test")], root, split)
    loose = [to_track(song, "test") for song in subfolders(root) if find_files(song)]
    parted = [to_track(song, part) for part in SPLITS for song in subfolders(root / part) if find_files(song)]
    if loose and parted:
        raise DemixError(
            f"{root}: expected all songs in {'/, '.join(SPLITS)}/, or none, received {loose[0].name!r} "
            "beside them; move it into one"
        )
    if not loose and not parted:
        raise DemixError(
            f"{root}: expected a folder per song with files {', '.join(STEMS)} ({', '.join(SUFFIXES)}), "
            "found none; rename the files or check the path"
        )
    return select([*loose, *parted], root, split)


def to_track(song: Path, split: Split) -> Track:
    """Describe the song in a folder of stem files."""
    files = find_files(song)
    return Track(song.name, split, partial(read_files, files), tuple(files.values()))


def find_files(song: Path) -> dict[str, Path]:
    """Return the stem and mixture files in a folder by what they hold; empty when it has no stem.

    Raises:
        DemixError: when a stem is there in two formats, or the mixture without any stem.
    """
    files: dict[str, Path] = {}
    for path in sorted(song.iterdir()):
        name = path.stem.lower()
        if name not in (*STEMS, MIXTURE) or path.suffix.lower() not in SUFFIXES:
            continue
        if name in files:
            raise DemixError(f"{song}: expected one file for {name}, received {files[name].name} and {path.name}")
        files[name] = path
    if list(files) == [MIXTURE]:
        raise DemixError(f"{song}: expected files named {', '.join(STEMS)}, received a mixture alone; add the stems")
    return files


def read_files(files: Mapping[str, Path]) -> tuple[Audio, Audio | None]:
    """Read a song from one file per stem and perhaps one of the mixture.

    Args:
        files: by stem name; `mixture` is the mixture. A stem that is not named is silence.

    Returns:
        Stems `(stems, channels, samples)` and the mixture `(channels, samples)` or None.

    Raises:
        DemixError: for a file that cannot be read, another rate than 44.1 kHz, another number of channels
            than two, or files of unequal length.
    """
    from demix import audio  # imported here: training also runs where no audio library is installed

    waveforms = {name: check_waveform(path, *audio.read(path)) for name, path in files.items()}
    lengths = {name: waveform.shape[1] for name, waveform in waveforms.items()}
    if len(set(lengths.values())) > 1:
        raise DemixError(
            f"{next(iter(files.values())).parent}: expected stems of equal length, received "
            f"{', '.join(f'{name} {length}' for name, length in lengths.items())} samples; export them again"
        )
    stems = np.zeros((len(STEMS), 2, next(iter(lengths.values()))), dtype=np.float32)
    for index, stem in enumerate(STEMS):
        if stem in waveforms:
            stems[index] = waveforms.pop(stem)
    return stems, waveforms.get(MIXTURE)


def check_waveform(path: Path, waveform: Audio, rate: int) -> Audio:
    """Return a waveform that is 44.1 kHz stereo.

    Raises:
        DemixError: for another one, with the line that converts it.
    """
    if rate != SAMPLE_RATE or len(waveform) != 2:
        remedy = f"convert it: ffmpeg -i '{path.name}' -ar {SAMPLE_RATE} -ac 2 'converted/{path.name}'"
        if path.suffix == ".mp4":  # five streams, of which that line would keep one
            remedy = "get the file again"
        raise DemixError(
            f"{path}: expected {SAMPLE_RATE} Hz with 2 channels, received {rate} Hz with {len(waveform)}; {remedy}"
        )
    return waveform


def check_root(root: Path | None) -> Path:
    """Return the folder of a data set.

    Raises:
        DemixError: when it is not given or not there.
    """
    if root is None:
        raise DemixError("expected the folder of a data set, received none; give its path")
    if not root.is_dir():
        raise DemixError(f"{root}: expected the folder of a data set, found no such folder; check the path")
    return root


def subfolders(root: Path) -> Iterator[Path]:
    """Yield the folders in a folder by name; none where it does not exist. Hidden ones are passed over."""
    if root.is_dir():
        yield from sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def select(found: Sequence[Track], root: Path, split: Split | None) -> list[Track]:
    """Return the songs of a split, all for None.

    Raises:
        DemixError: when two songs, of whatever split, have one name: scores would mix them up, and the same
            song in two splits would be trained and tested on.
    """
    for name, count in Counter(track.name for track in found).items():
        if count > 1:
            raise DemixError(f"{root}: expected every song once, received {name!r} {count} times; rename or remove one")
    return [track for track in found if split in (None, track.split)]
