"""The files of generated songs: stems, what a song says about itself, the lists of all songs."""

from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from demix.config import SAMPLE_RATE
from demix.data import LICENCE_FILE
from demix.data.folder import subfolders
from demix.errors import DemixError
from demix.files import atomic, read_record
from demix.generate.effects import Wave
from demix.generate.licences import folder_licence, licence_line
from demix.rows import write_rows

RECORD_FILE = "song.json"
SONGS_FILE = "songs.csv"
README_FILE = "README.md"
WRITTEN = "Written by `demix data generate`"  # in the README of a folder that is ours
FIELDS = ("song", "seed", "style", "bpm", "tonic", "scale", "seconds", "programs", "sources")


def read_songs(out: Path) -> dict[Path, dict[str, Any]]:
    """Return what every song in a folder of generated songs says about itself, by its own folder."""
    found = {path.parent: read_record(path) for path in sorted((out / "train").glob(f"[!.]*/{RECORD_FILE}"))}
    return {folder: record for folder, record in found.items() if record}


def check_out(out: Path, planned: Set[Path]) -> None:
    """Raise `DemixError` unless a folder is new, or holds nothing but generated songs and what is written about them.

    Args:
        out: where songs are to be.
        planned: folders of songs that will be made, or made again where they are damaged.
    """
    if out.exists() and not out.is_dir():
        raise DemixError(f"{out}: expected a folder for songs, found a file; choose another")
    songs = [folder for folder in subfolders(out / "train") if any(folder.iterdir())]
    for folder in songs:
        record = folder / RECORD_FILE
        if not record.is_file() if folder in planned else not is_whole(read_record(record)):
            raise DemixError(
                f"{folder}: expected a generated song, found something else or a damaged {RECORD_FILE}; "
                "move the folder away or choose another for the songs"
            )
    readme = out / README_FILE
    if songs or (readme.is_file() and WRITTEN in readme.read_text(encoding="utf-8", errors="replace")):
        return
    for name in (README_FILE, SONGS_FILE, LICENCE_FILE, "index.html", "listen"):
        if (out / name).exists():
            raise DemixError(f"{out / name}: is in the way and not of `demix data generate`; choose another folder")


def is_whole(record: dict[str, Any]) -> bool:
    """Say whether a song's record says all that lists and page tell."""
    return {*FIELDS, "made_from"} <= record.keys()


def write_flac(path: Path, wave: Wave) -> None:
    """Write a stem `(channels, samples)` below full scale with 16 bits."""
    samples = np.empty((wave.shape[1], len(wave)), np.int16)  # as the file has them: by time, then by channel
    for channel, values in enumerate(wave):
        scaled = values * np.float32(32767)
        np.rint(scaled, out=scaled)
        samples[:, channel] = scaled
    try:
        soundfile.write(path, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=0.1)
    except (OSError, soundfile.LibsndfileError) as error:
        raise DemixError(f"{path}: cannot be written ({error}); free some room or choose another folder") from error


def write_lists(out: Path) -> None:
    """Write the table of all songs, where their sounds come from, and in one line what they may be used for."""
    found = read_songs(out)
    records = list(found.values())
    rows = [
        [
            " ".join(map(str, record[name]))
            if name == "scale"
            else "; ".join(f"{part} {program}" for part, program in record[name].items())
            if name == "programs"
            else "; ".join(record[name])
            if name == "sources"
            else record[name]
            for name in FIELDS
        ]
        for record in records
    ]
    write_rows(out / SONGS_FILE, FIELDS, rows)
    used: dict[str, int] = {}
    for folder, record in found.items():
        for source in [*record["sources"], *_singing(folder, record)]:
            used[source] = used.get(source, 0) + 1
    lines = [
        f"# {len(records)} generated songs",
        "",
        f"{WRITTEN}: composed by rules, played on free sounds, sung by free recordings cut to "
        f"phrases. `{SONGS_FILE}` names the sounds of every song, `{LICENCE_FILE}` what they may be used for.",
        "",
        *(f"- {source} ({count} songs)" for source, count in sorted(used.items())),
        "",
    ]
    with atomic(out / README_FILE) as file:
        file.write("\n".join(lines).encode())
    with atomic(out / LICENCE_FILE) as file:
        file.write(f"{licence_line(used)}\n".encode())


def _singing(song: Path, record: dict[str, Any]) -> list[str]:
    """Return the folders that a song's singers were drawn from, with their licences; none for a song without vocals."""
    if not (song / "vocals.flac").is_file():
        return []
    folders = [Path(folder) for folder in record["made_from"].get("vocals", ())]
    return [f"{folder_licence(folder)}: singing in {folder.resolve().name}" for folder in folders]
