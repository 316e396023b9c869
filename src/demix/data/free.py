"""The songs that ship with the project: a short cut of an album under CC0, listed in `songs/songs.toml`."""

import tomllib
from pathlib import Path

from demix.data.folder import find_files, select, to_track
from demix.data.track import SPLITS, Split, Track
from demix.errors import DemixError

MANIFEST = "songs.toml"


def tracks(root: Path | None = None, split: Split | None = None) -> list[Track]:
    """List the embedded songs.

    Args:
        root: a folder with a `songs.toml`: one `[[song]]` with `name` and `split` per sub-folder of stem
            files, where a stem without a file is silence. None finds the project's own.
        split: only the songs of this split.

    Returns:
        The songs in the order of their splits and names; empty when the folder has none in `split`.

    Raises:
        DemixError: when the folder, its list or a song of the list is missing, or an entry is incomplete.
    """
    root = find_songs() if root is None else root
    manifest = root / MANIFEST
    try:
        entries = tomllib.loads(manifest.read_text(encoding="utf-8")).get("song", [])
    except FileNotFoundError as error:
        raise DemixError(f"{manifest}: no such file; it lists the songs of the folder") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DemixError(f"{manifest}: expected a list of songs in TOML, received {error}") from error
    if not isinstance(entries, list) or not entries:
        raise DemixError(f"{manifest}: expected at least one [[song]], found none")
    found = [_to_track(root, entry) for entry in entries]
    return select(sorted(found, key=lambda track: (SPLITS.index(track.split), track.name)), root, split)


def find_songs() -> Path:
    """Return the folder of the embedded songs: that of the checkout demix runs from, else `songs` right here.

    Raises:
        DemixError: when there is neither, as after an installation without the checkout.
    """
    candidates = (Path(__file__).parents[3] / "songs", Path("songs"))
    for folder in candidates:
        if (folder / MANIFEST).is_file():
            return folder
    raise DemixError(
        f"expected the embedded songs in {' or '.join(str(folder) for folder in candidates)}, found neither; "
        "run demix in a checkout of the project"
    )


def _to_track(root: Path, entry: object) -> Track:
    name, split = (entry.get("name"), entry.get("split")) if isinstance(entry, dict) else (None, None)
    if not isinstance(name, str) or split not in SPLITS:
        raise DemixError(
            f"{root / MANIFEST}: expected every song with a name and a split of {', '.join(SPLITS)}, "
            f"received name {name!r} with split {split!r}"
        )
    if not (root / name).is_dir() or not find_files(root / name):
        raise DemixError(f"{root / name}: expected the stems of a listed song, found none; check the song out again")
    return to_track(root / name, split)
