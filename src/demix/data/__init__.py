"""Data sets of multitrack songs behind one contract, `Track`.

Where do I add a data set? One file with `tracks(root, split) -> list[Track]` and one line in `DATASETS`.
"""

from pathlib import Path
from typing import Protocol

from demix.data import folder, free, musdb
from demix.data.track import Split, Track
from demix.errors import DemixError

__all__ = ["ARTISTS", "DATASETS", "LICENCES", "RAW", "Track", "dataset_label", "dataset_licence", "open_dataset"]

RAW = Path("data/raw")  # `demix data download NAME` unpacks to RAW / NAME
NO_LICENCE = "not recorded"
LICENCE_FILE = "licence.txt"  # in a folder of songs: one line that says what they may be used for


class Tracks(Protocol):
    """What a data set is: a function that lists its songs."""

    def __call__(self, root: Path | None, split: Split | None = None, /) -> list[Track]:
        """List the songs under `root`, all of them or those of one split."""


DATASETS: dict[str, Tracks] = {
    "free": free.tracks,
    "musdb18": musdb.tracks,
    "musdb18-7s": musdb.tracks,
    "musdb18hq": musdb.tracks_hq,
    "folder": folder.tracks,
}


_MUSDB_LICENCE = "for education and research without commercial use; see the MUSDB18 page for each song's"
LICENCES = {
    "free": 'CC0 1.0, from "everything is free" by Software-Entwicklungskit',
    "musdb18": _MUSDB_LICENCE,
    "musdb18-7s": _MUSDB_LICENCE,
    "musdb18hq": _MUSDB_LICENCE,
}
ARTISTS = {"free": ("Software-Entwicklungskit",)}  # of the sets that are all by the same few


def dataset_label(dataset: str) -> str:
    """Return what a data set is called in tables: its name, or that of its folder."""
    return dataset if dataset in DATASETS else Path(dataset).resolve().name


def dataset_licence(dataset: str) -> str:
    """Return what the songs of a data set may be used for: as known here, or by the first line of its `licence.txt`."""
    path = Path(dataset) / LICENCE_FILE
    if dataset in LICENCES or not path.is_file():
        return LICENCES.get(dataset, NO_LICENCE)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    return lines[0].strip() or NO_LICENCE


def open_dataset(name_or_path: str | Path) -> list[Track]:
    """List the songs of a data set that is known by name, or of a folder of songs.

    Args:
        name_or_path: a key of `DATASETS`, whose songs then lie in `data/raw/<name>` (`free` ships with the
            project), or a path. A path's form is told from what is in it: `*.stem.mp4` files in `train/` or
            `test/` are MUSDB18, five wavs for every song in there are MUSDB18-HQ, a `songs.toml` is a set
            like `free`, anything else is a folder of songs.

    Returns:
        The songs of all splits.

    Raises:
        DemixError: for a name that is neither a data set nor a path, or a data set without songs.
    """
    name, root = str(name_or_path), Path(name_or_path)
    if name == "free":
        return free.tracks(None)
    if name in DATASETS and name != "folder":
        if not (RAW / name).is_dir():
            raise DemixError(f"{RAW / name}: {name} is not there; run `demix data download {name}`")
        return DATASETS[name](RAW / name)
    if not root.is_dir():
        known = ", ".join(key for key in DATASETS if key != "folder")
        raise DemixError(f"{name}: expected a data set ({known}) or a folder of songs, found neither; check the name")
    return _detect(root)(root)


def _detect(root: Path) -> Tracks:
    """Tell a data set's form from what lies in its folder."""
    if (root / free.MANIFEST).is_file():
        return free.tracks
    if musdb.is_musdb(root):
        return musdb.tracks
    if musdb.is_musdb_hq(root):
        return musdb.tracks_hq
    return folder.tracks
