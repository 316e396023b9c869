"""MUSDB18 in its two forms: `.stem.mp4` files (MUSDB18) and folders of wav files (MUSDB18-HQ).

Rafii, Liutkus, Stoeter, Mimilakis, Bittner (2017): "The MUSDB18 corpus for music separation"; 100 songs for
training, 50 for test. The 14 validation songs are those of the `musdb` package (`configs/mus.yaml`), taken
from the training folder: 86/14/50. Trees with fewer songs, such as the 7-second excerpts, are read alike.
"""

from functools import partial
from pathlib import Path

import numpy as np

from demix.config import STEMS
from demix.data.folder import MIXTURE, check_root, check_waveform, read_files, select, subfolders
from demix.data.track import SPLITS, Audio, Split, Track
from demix.errors import DemixError

STREAMS = (MIXTURE, "drums", "bass", "other", "vocals")  # order of the audio streams in a .stem.mp4
ENDING = ".stem.mp4"
FOLDERS = ("train", "test")

VALID_SONGS = frozenset(
    {
        "Actions - One Minute Smile",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Johnny Lokke - Promises & Lies",
        "Patrick Talbot - A Reason To Leave",
        "Triviul - Angelsaint",
        "Alexander Ross - Goodbye Bolero",
        "Fergessen - Nos Palpitants",
        "Leaf - Summerghost",
        "Skelpolu - Human Mistakes",
        "Young Griffo - Pennies",
        "ANiMAL - Rockshow",
        "James May - On The Line",
        "Meaxic - Take A Step",
        "Traffic Experiment - Sirens",
    }
)


def tracks(root: Path | None, split: Split | None = None) -> list[Track]:
    """List the songs of MUSDB18: `train/*.stem.mp4` and `test/*.stem.mp4`.

    On these the mixture is a stream of its own: after AAC it is not the sum of the stems.

    Args:
        root: the folder with `train` and `test`, as `MUSDB18.zip` unpacks.
        split: only the songs of this split.

    Returns:
        The songs in the order of their splits and names; empty when the folder has none in `split`.

    Raises:
        DemixError: when there is no such folder or no such file in it.
    """
    found = [
        Track(name, _split(part, name), partial(read_stem_mp4, path), (path,))
        for part in FOLDERS
        for path in _stem_mp4s(check_root(root) / part)
        for name in (path.name.removesuffix(ENDING),)
    ]
    return _ordered(found, check_root(root), split, f"*{ENDING} files")


def tracks_hq(root: Path | None, split: Split | None = None) -> list[Track]:
    """List the songs of MUSDB18-HQ: `train/<song>/{mixture,drums,bass,other,vocals}.wav` and `test/...`.

    Unlike in any other folder of songs a missing file is no silence but an error, told when the song is read.

    Args:
        root: the folder with `train` and `test`, as `musdb18hq.zip` unpacks.
        split: only the songs of this split.

    Returns:
        The songs in the order of their splits and names; empty when the folder has none in `split`.

    Raises:
        DemixError: when there is no such folder or no song in it.
    """
    found = []
    for part in FOLDERS:
        for song in subfolders(check_root(root) / part):
            files = {name: song / f"{name}.wav" for name in STREAMS}
            if any(path.exists() for path in files.values()):
                read = partial(read_files, files)
                found.append(Track(song.name, _split(part, song.name), read, tuple(files.values())))
    return _ordered(found, check_root(root), split, "folders of wav files")


def read_stem_mp4(path: Path) -> tuple[Audio, Audio]:
    """Read a `.stem.mp4` with the five audio streams mixture, drums, bass, other, vocals.

    Returns:
        Stems `(stems, channels, samples)` in the order of `STEMS` and the mixture `(channels, samples)`.

    Raises:
        DemixError: for a file that cannot be read, another number of streams, or audio that is not 44.1 kHz
            stereo.
    """
    from demix import audio  # imported here: training also runs where no audio library is installed

    waveforms, rate = audio.read_streams(path)
    if len(waveforms) != len(STREAMS):
        raise DemixError(
            f"{path}: expected {len(STREAMS)} audio streams ({', '.join(STREAMS)}), received {len(waveforms)}"
            "; get the file again"
        )
    named = {name: check_waveform(path, waveform, rate) for name, waveform in zip(STREAMS, waveforms, strict=True)}
    return np.stack([named[stem] for stem in STEMS]), named[MIXTURE]


def is_musdb(root: Path) -> bool:
    """Tell whether a folder has the form of MUSDB18."""
    return any(_stem_mp4s(root / part) for part in FOLDERS)


def is_musdb_hq(root: Path) -> bool:
    """Tell whether a folder is MUSDB18-HQ, whole or in part.

    A home-made set may have `train` and `test` as well: it is taken for MUSDB18-HQ when it names one of its
    validation songs, or when every song has all five wavs, which both readings read alike.
    """
    songs = [song for part in FOLDERS for song in subfolders(root / part)]
    if not songs or (root / "valid").exists():
        return False
    whole = all((song / f"{name}.wav").is_file() for song in songs for name in STREAMS)
    return whole or any(song.name in VALID_SONGS for song in songs)


def _stem_mp4s(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))


def _split(part: str, name: str) -> Split:
    if part == "test":
        return "test"
    return "valid" if name in VALID_SONGS else "train"


def _ordered(found: list[Track], root: Path, split: Split | None, form: str) -> list[Track]:
    if not found:
        raise DemixError(f"{root}: expected {form} in {' and '.join(FOLDERS)}, found none; unpack the data set there")
    return select(sorted(found, key=lambda track: (SPLITS.index(track.split), track.name)), root, split)
