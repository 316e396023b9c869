"""MUSDB18 from where its makers published it: which files, on what terms, and what a whole set is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demix.data.events import Event, OnEvent, ignore
from demix.data.fetch import fetch
from demix.data.part import RemoteFile, bytes_in
from demix.data.room import require_room
from demix.data.unpack import DamagedArchiveError, unpack
from demix.data.web import read_json
from demix.errors import DemixError

# from the descriptions of both Zenodo records; the excerpts are cut from the same songs
LICENCE = (
    "for educational purposes only: the songs must not be used for any commercial purpose without the "
    "express permission of the copyright holders (46 of them are CC BY-NC-SA 4.0, 2 CC BY-NC-SA 3.0); "
    "terms and credits: https://sigsep.github.io/datasets/musdb.html"
)


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Args:
        file: name of the zip archive.
        url: the Zenodo record's JSON (`https://zenodo.org/api/records/<id>`) that lists the file, its size
            and its checksum; or, where there is no record, the address of the file itself.
        licence: terms of use, one sentence.
        songs: songs in `train/` and `test/` together; a folder with fewer is not the set.
        expansion: unpacked bytes per byte of the archive, rounded up; only to see beforehand whether the disk
            can take them.
        has_record: whether `url` is a record.
    """

    file: str
    url: str
    licence: str
    songs: int
    expansion: float
    has_record: bool = True


# MUSDB18-HQ unpacks to 5 wavs of 10 hours at 176.4 kB/s: 31.8 GB from 22.7 GB; AAC does not shrink
SOURCES: dict[str, Source] = {
    "musdb18": Source("musdb18.zip", "https://zenodo.org/api/records/1117372", LICENCE, 150, 1.05),
    "musdb18hq": Source("musdb18hq.zip", "https://zenodo.org/api/records/3338373", LICENCE, 150, 1.5),
    "musdb18-7s": Source(
        "MUSDB18-7-STEMS.zip",
        "https://github.com/sigsep/sigsep-mus-db/releases/download/v0.4.0/MUSDB18-7-STEMS.zip",
        LICENCE,
        144,
        1.05,
        has_record=False,
    ),
}


def download(
    name: str,
    root: Path = Path("data"),
    *,
    sources: dict[str, Source] | None = None,
    on_event: OnEvent = ignore,
) -> Path:
    """Download a data set and unpack it, once.

    The archive comes to `<root>/temp/`; that can be interrupted at any moment, and the next call goes on. An
    archive that was fetched by other means and put there is used after the same checks. The songs appear in
    `<root>/raw/<name>/` in one step, all of them; then the archive is removed.

    Args:
        name: a key of `SOURCES`.
        root: the folder for data.
        sources: where the sets come from; `SOURCES` by default.
        on_event: told of the licence before anything is transferred, then of progress.

    Returns:
        The folder with `train/` and `test/`.

    Raises:
        DemixError: for an unknown name, a server that does not deliver, a file that is not what the record
            says, a disk too small, or a folder of that name with only a part of the songs.
    """
    sources = SOURCES if sources is None else sources
    if name not in sources:
        raise DemixError(f"{name!r}: expected one of the data sets {', '.join(sources)}; check the name")
    source = sources[name]
    target, temp = root / "raw" / name, root / "temp"
    on_event(Event("licence", text=f"{name}: {source.licence}"))
    if target.is_dir() and any(target.iterdir()):
        if (found := _count_songs(target)) < source.songs:
            raise DemixError(
                f"{target}: expected {source.songs} songs in train/ and test/, found {found}; move the "
                "folder away and run the same command again"
            )
        on_event(Event("present", text=f"{target}: all {source.songs} songs are there, nothing to download"))
        return target
    remote = _read_record(source, on_event) if source.has_record else RemoteFile(source.url, source.file)

    def require_both(coming: int) -> None:
        whole = remote.size or coming + bytes_in(temp / f"{remote.name}.part")
        require_room({temp: coming, target: int(whole * source.expansion)})

    def require_songs(folder: Path) -> None:
        if (found := _count_songs(folder)) < source.songs:
            raise DamagedArchiveError(
                f"{source.file}: expected {source.songs} songs in train/ and test/, received {found}; "
                "this is not the whole set, it was removed: run the same command again"
            )

    archive = fetch(remote, temp, on_size=require_both, on_event=on_event)
    try:
        unpack(archive, target, check=require_songs, on_event=on_event)
    except DamagedArchiveError:
        archive.unlink()  # or every further run would find it and stop here
        raise
    archive.unlink()
    return target


def _read_record(source: Source, on_event: OnEvent) -> RemoteFile:
    """Look the archive up in its Zenodo record.

    The form is that of zenodo-rdm, `legacy/serializers/schemas/zenodojson.py`: `files` is a list of
    `{"key", "size", "checksum": "md5:...", "links": {"self": ".../content"}}`; a restricted record has none.
    """
    record = read_json(source.url, what=source.file, on_event=on_event)
    files: Any = record.get("files") or []
    try:
        listed = {entry["key"]: entry for entry in files}
        if source.file not in listed:
            raise DemixError(
                f"{source.url}: expected a record with the file {source.file}, received one with "
                f"{', '.join(listed) or 'no open file'}; see on zenodo.org whether it has moved or is closed"
            )
        entry = listed[source.file]
        return RemoteFile(str(entry["links"]["self"]), source.file, int(entry["size"]), str(entry["checksum"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DemixError(
            f"{source.url}: expected key, size, checksum and link of {source.file}, received a record of "
            "another form; download the archive in a browser and unpack it into the folder data/raw"
        ) from error


def _count_songs(folder: Path) -> int:
    """Count the songs: a file per song in MUSDB18, a folder per song in MUSDB18-HQ."""
    return sum(
        song.is_dir() or song.name.endswith(".stem.mp4")
        for split in ("train", "test")
        if (folder / split).is_dir()
        for song in (folder / split).iterdir()
        if not song.name.startswith(".")
    )
