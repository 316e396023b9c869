"""Files that are either whole or not there: what is killed half-way leaves nothing under the final name."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from demix.errors import DemixError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic(path: Path, *, keep: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once it is complete.

    The bytes go to a hidden neighbour, `.<name>.part`, which replaces `path` in one step at the end of the
    block. When the block fails the neighbour is removed; when the process is killed it stays and the next
    write to the same `path` starts it anew.

    Args:
        path: the file to write; its folder is created.
        keep: a name in the same folder that the file which was there before moves to.

    Raises:
        DemixError: when the file cannot be written (a full disk, a folder without permission).
    """
    part = path.with_name(f".{path.name}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # without it a power cut may leave the name on an empty file
            if keep is not None and path.exists():
                path.replace(keep)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, mark: str) -> Iterator[Path]:
    """Fill a folder that takes its name only once it is complete.

    The files go to a hidden neighbour, which replaces `path` at the end of the block. When the block fails the
    neighbour is removed, and what was there stays.

    Args:
        path: the folder to write.
        mark: the file by which a folder that was made this way is known: only such a one, or an empty one, is replaced.

    Raises:
        DemixError: when `path` holds something else, or cannot be written.
    """
    if path.exists() and not (path / mark).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise DemixError(f"{path}: expected a new folder or one with {mark}, found other files; choose another folder")
    part, old = (path.with_name(f".{path.name}.{state}") for state in ("part", "old"))
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(path):
            part.mkdir(parents=True)
        yield part
        with writing(path):
            shutil.rmtree(old, ignore_errors=True)
            if path.exists():
                path.replace(old)
            part.replace(path)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def is_full(error: BaseException) -> bool:
    """Say whether the system has no room, or grants none."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing `path`, a file or folder, into a `DemixError` with the remedy."""
    try:
        yield
    except OSError as error:
        remedy = "free some room or choose another folder" if is_full(error) else "choose another folder"
        raise DemixError(f"{path}: cannot be written ({error.strerror or error}); {remedy}") from error


def read_record(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; nothing where there is none, or a damaged one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
