"""A file that has not all come yet, `<name>.part`, and its passport, `<name>.part.json`.

The passport says which file, and which state of it (ETag or Last-Modified), the bytes belong to: without it a
transfer that goes on after a day could join the halves of two different files.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPResponse
from io import RawIOBase
from pathlib import Path
from typing import Any

from demix.errors import DemixError
from demix.files import atomic


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server and what is known of it beforehand.

    Args:
        url: its address.
        name: its name here.
        size: bytes; None when only the server's own Content-Length can tell.
        checksum: `algorithm:hexdigest`, as Zenodo writes it (`md5:af06...`); None when none is published.
    """

    url: str
    name: str
    size: int | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Passport:
    """What the bytes of a part belong to.

    Args:
        validator: value for If-Range (RFC 9110 section 13.1.5); empty when the server gave none.
        total: bytes of the whole file; None when nobody knows.
    """

    validator: str
    total: int | None


def bytes_in(path: Path) -> int:
    """Return the size of a file, 0 when it is not there."""
    return path.stat().st_size if path.is_file() else 0


def start_part(part: Path, remote: RemoteFile, response: HTTPResponse, total: int | None, *, keep: bool) -> None:
    """Write the passport before the first byte; a part that is not kept goes first, it belongs to another."""
    if not keep:
        discard_part(part)
    etag = response.headers.get("ETag", "")
    # a weak tag does not promise equal bytes
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    with atomic(_passport_path(part)) as file:
        file.write(json.dumps({"file": asdict(remote), "validator": validator, "total": total}).encode())


def read_passport(part: Path, remote: RemoteFile) -> Passport | None:
    """Return the passport, or None where the part cannot be trusted to be a beginning of this file."""
    try:
        state: dict[str, Any] = json.loads(_passport_path(part).read_text())
        passport = Passport(state["validator"], state["total"])
        same = state["file"] == asdict(remote)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    # with neither a validator nor a checksum nobody would notice that the file has changed
    comparable = bool(passport.validator or remote.checksum)
    fits = passport.total is None or bytes_in(part) <= passport.total
    return passport if same and comparable and fits else None


def discard_part(part: Path) -> None:
    """Remove a part and its passport."""
    for path in (part, _passport_path(part)):
        with on_disk(path):
            path.unlink(missing_ok=True)


def write_all(file: RawIOBase, data: bytes, path: Path) -> None:
    """Write to an unbuffered file; unlike a buffered one it has nothing left at which close() could fail.

    Raises:
        DemixError: when the disk does not take it.
    """
    rest = memoryview(data)
    while rest:
        with on_disk(path):
            rest = rest[file.write(rest) or 0 :]


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Tell a fault of the disk from one of the connection: trying again does not help.

    Raises:
        DemixError: for any OSError inside the block.
    """
    try:
        yield
    except OSError as error:
        raise DemixError(
            f"{path}: cannot be written ({error.strerror or error}); free some room or choose "
            "another folder, then run the same command again"
        ) from error


def _passport_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")
