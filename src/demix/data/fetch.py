"""One file over HTTP: continued where it broke off, and under its own name only once it is whole."""

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError

from demix.data.events import Event, OnEvent, ignore
from demix.data.part import RemoteFile, bytes_in, discard_part, on_disk, read_passport, start_part, write_all
from demix.data.web import open_url, retry
from demix.errors import DemixError

CHUNK_BYTES = 1 << 20


def fetch(
    remote: RemoteFile,
    folder: Path,
    *,
    on_size: Callable[[int], None] = lambda _: None,
    on_event: OnEvent = ignore,
) -> Path:
    """Bring a file into a folder, or find it there.

    What arrives goes to `<name>.part`; `<name>.part.json` says which file, and which state of it (ETag), the
    part belongs to. An interrupted transfer goes on from there by a range request (RFC 9110 sections 13.1.5
    and 14.2); a server that ignores ranges, or whose file has changed, makes it start over. Only after size
    and checksum have been compared does the part become `<name>`.

    Args:
        remote: the file.
        folder: where it goes; created.
        on_size: told the bytes still to come before the first is written; may raise to refuse.
        on_event: told of progress (`download`, `check`, `retry`).

    Returns:
        Path of the whole file.

    Raises:
        DemixError: when the file cannot be had or is not what the record promises. A part that may still
            become whole is kept; a wrong one is removed.
    """
    whole, part = folder / remote.name, folder / f"{remote.name}.part"
    if not whole.is_file():
        with on_disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
        retry(
            lambda: _transfer(remote, part, on_size, on_event),
            what=remote.name,
            progress=lambda: bytes_in(part),
            on_event=on_event,
        )
        _verify(remote, part, on_event)
        with on_disk(part):
            part.replace(whole)
        discard_part(part)
    else:
        _verify(remote, whole, on_event)
    return whole


def _transfer(remote: RemoteFile, part: Path, on_size: Callable[[int], None], on_event: OnEvent) -> None:
    """Make one attempt to complete the part; raise OSError where another attempt may succeed."""
    passport = read_passport(part, remote)
    have = bytes_in(part) if passport else 0
    if passport and passport.total == have:
        return  # it had all come, only the last step was missing
    headers = {"Range": f"bytes={have}-"} if have else {}
    if passport and have and passport.validator:
        headers["If-Range"] = passport.validator
    with _open_range(remote.url, headers, part) as response:
        start, total = _span(response, have, part)
        if remote.size is not None and total not in (None, remote.size):
            raise DemixError(
                f"{remote.name}: expected {remote.size} bytes as its record says, received a file of {total} "
                f"bytes from {remote.url}; try again later"
            )
        total = remote.size if total is None else total
        if total is not None:
            on_size(total - start)
        start_part(part, remote, response, total, keep=start > 0)
        done = _copy(response, part, start, total, on_event)
    if total is not None and done < total:
        raise ConnectionError(f"the connection closed after {done} of {total} bytes")


def _open_range(url: str, headers: dict[str, str], part: Path) -> HTTPResponse:
    try:
        return open_url(url, headers)
    except HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        discard_part(part)
        raise ConnectionError("the server no longer has the range asked for") from error


def _span(response: HTTPResponse, have: int, part: Path) -> tuple[int, int | None]:
    """Return where in the file the body starts and how long the whole file is, as the server says."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0, response.length
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have:
        discard_part(part)
        raise ConnectionError("the server sent another range than it was asked for")
    return have, None if found[2] == "*" else int(found[2])


def _copy(response: HTTPResponse, part: Path, done: int, total: int | None, on_event: OnEvent) -> int:
    """Append the body to the part and return the bytes it then has."""
    with on_disk(part):
        file = part.open("r+b" if done else "wb", buffering=0)
    with file:
        file.seek(done)
        on_event(Event("download", done, total))
        while chunk := response.read1(CHUNK_BYTES):
            write_all(file, chunk, part)
            done += len(chunk)
            on_event(Event("download", done, total))
            if total is not None and done > total:
                break
    if total is not None and done > total:
        discard_part(part)
        raise DemixError(f"{part.stem}: expected {total} bytes, received more; try again later")
    return done


def _verify(remote: RemoteFile, path: Path, on_event: OnEvent) -> None:
    """Compare a complete file with its record; remove it when they differ."""
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        _refuse(path, f"{remote.size} bytes", f"{size} bytes")
    if remote.checksum is None:
        return
    algorithm, _, expected = remote.checksum.rpartition(":")
    try:
        digest = hashlib.new(algorithm or "md5", usedforsecurity=False)
    except ValueError as error:
        raise DemixError(
            f"{remote.name}: expected an md5 or sha checksum in its record, received {remote.checksum!r}; "
            "the record has changed its form, report it to demix"
        ) from error
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            on_event(Event("check", file.tell(), size))
    if digest.hexdigest() != expected.lower():
        _refuse(path, f"{digest.name} {expected}", digest.hexdigest())


def _refuse(path: Path, expected: str, received: str) -> None:
    discard_part(path)
    raise DemixError(
        f"{path.name.removesuffix('.part')}: expected {expected} as its record says, received {received}; "
        "the damaged copy was removed, run the same command again to fetch it anew"
    )
