"""A zip archive becomes a folder in one step: all of it, checked, or nothing."""

import lzma
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from demix.data.events import Event, OnEvent, ignore
from demix.data.part import bytes_in, on_disk, write_all
from demix.data.room import require_room
from demix.errors import DemixError

CHUNK_BYTES = 1 << 20
LONGEST_END_BYTES = 22 + 65535 + 20 + 56  # end record with the longest comment, ZIP64 locator and record
# what zipfile and its decompressors raise for damaged, encrypted or unknown contents
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,  # a record that points before the beginning of the file
)


class DamagedArchiveError(DemixError):
    """The archive is not a whole zip file; another copy may be."""


def unpack(
    archive: Path, target: Path, *, check: Callable[[Path], None] = lambda _: None, on_event: OnEvent = ignore
) -> Path:
    """Unpack a zip archive into a new folder.

    The files go to a hidden neighbour of the target, `.<name>.unpacking`, are flushed to disk and compared
    with the archive's own sizes and checksums (CRC-32); then the neighbour takes the target's name in one
    step. A process killed before that leaves only the neighbour, which the next attempt removes.

    Args:
        archive: the zip file.
        target: the folder to make; must not exist, or be empty.
        check: looks at the unpacked files before they take the target's name; raises to refuse them.
        on_event: told of progress (`unpack`, bytes of unpacked files).

    Returns:
        `target`.

    Raises:
        DamagedArchiveError: when the archive is not whole.
        DemixError: when the disk is too small or a file in the archive would leave the folder.
    """
    partial = target.with_name(f".{target.name}.unpacking")
    with _open(archive) as file:
        members = {_safe_path(member.filename, archive): member for member in file.infolist()}
        total, done = sum(member.file_size for member in members.values()), 0
        shutil.rmtree(partial, ignore_errors=True)
        require_room({target: total})
        try:
            for path, member in members.items():
                write = _write_folder if member.is_dir() else _write_file
                for size in write(partial / path, _read(file, member, archive)):
                    done += size
                    on_event(Event("unpack", done, total))
            _require_all(partial, members)
            check(partial)
            with on_disk(target):
                if target.is_dir():
                    target.rmdir()  # Windows renames onto no folder; this fails unless the folder is empty
                partial.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _open(archive: Path) -> zipfile.ZipFile:
    """Open the archive and compare its list of members with the number that its last record promises."""
    with _reading(archive):
        file = zipfile.ZipFile(archive)
        promised, found = _promised_members(archive), len(file.infolist())
        if found != promised:  # zipfile skips, without a word, what a damaged length in the list jumps over
            file.close()
            raise zipfile.BadZipFile(f"{found} of {promised} members")
    return file


def _promised_members(archive: Path) -> int:
    """Read the number of members from the end record (PKWARE APPNOTE 4.3.16; 4.3.14 for ZIP64)."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - LONGEST_END_BYTES))
        end = file.read()
    (count,) = struct.unpack_from("<H", end, end.rfind(b"PK\5\6") + 10)
    if count == 0xFFFF:
        (count,) = struct.unpack_from("<Q", end, end.rfind(b"PK\6\6") + 32)
    return int(count)


def _read(file: zipfile.ZipFile, member: zipfile.ZipInfo, archive: Path) -> Iterator[bytes]:
    """Yield a member piece by piece; its name (of folders too) and checksum are compared with the list."""
    with _reading(archive), file.open(member) as source:
        while piece := source.read(CHUNK_BYTES):
            yield piece


def _write_folder(path: Path, pieces: Iterator[bytes]) -> Iterator[int]:
    """Make an empty folder; reading it, too, compares its name with the list."""
    yield sum(len(piece) for piece in pieces)
    with on_disk(path):
        path.mkdir(parents=True, exist_ok=True)


def _write_file(path: Path, pieces: Iterator[bytes]) -> Iterator[int]:
    """Write a file piece by piece and yield the size of each."""
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb", buffering=0)
    with file:
        for piece in pieces:
            write_all(file, piece, path)
            yield len(piece)
        with on_disk(path):
            os.fsync(file.fileno())  # or a power cut could leave the set's name on empty files


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise DamagedArchiveError(
            f"{archive.name}: expected a whole zip archive, received a damaged one ({error}); run the same "
            "command again to fetch it anew"
        ) from error


def _safe_path(name: str, archive: Path) -> PurePosixPath:
    """Return the member's path if it stays inside the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise DemixError(f"{archive.name}: expected only files inside the data set, received {name!r}; do not use it")
    return path


def _require_all(folder: Path, members: Mapping[PurePosixPath, zipfile.ZipInfo]) -> None:
    """Look once more before the name is given: another process may have cleared the folder meanwhile."""
    for path, member in members.items():
        if not member.is_dir() and bytes_in(folder / path) != member.file_size:
            raise DemixError(
                f"{folder / path}: expected {member.file_size} bytes on the disk, found "
                f"{bytes_in(folder / path)}; run the same command again, once at a time"
            )
