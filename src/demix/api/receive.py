"""An upload, written to disk while it streams and counted on the way: no byte more than is allowed is ever stored."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs

from anyio import to_thread
from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from demix.api.problems import FULL
from demix.files import is_full

MULTIPART, URL_ENCODED = b"multipart/form-data", b"application/x-www-form-urlencoded"
SONG_AS_FORM = (
    "form: expected options only, received more; send a song as multipart/form-data (curl -F file=@song.mp3) or with "
    "its own Content-Type, as audio/mpeg"
)
LEAST_BYTES_PER_SECOND = 5_000  # 40 kbit/s: slower ones hold places in the queue for those that never end
FORM_BYTES = 64_000  # of a form's other fields and boundaries
FIELDS = 32


@dataclass
class Received:
    """What came: `path` is None without a file; fields are those of the form."""

    path: Path | None = None
    filename: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)


async def receive(request: Request, folder: Path, *, limit: int, idle_seconds: float) -> Received:
    """Write a request's body into a folder.

    Args:
        request: with a form whose field `file` is the song, or with the song alone as its body.
        folder: where the song is written; its name is not the client's.
        limit: bytes of the song.
        idle_seconds: how long it may pause.

    Raises:
        HTTPException: 400 for a broken form, 408 for a pause or a trickle, 413 for too many bytes, 507 for a full disk.
        ClientDisconnect: when the client went away.
    """
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    received = Received()
    sink: _Multipart | _UrlEncoded | _Body
    if kind == MULTIPART:
        if not options.get(b"boundary"):
            raise HTTPException(
                400, "form: expected a boundary in Content-Type, received none; let your library set it"
            )
        sink, allowed = _Multipart(received, folder, options[b"boundary"]), limit + FORM_BYTES
    elif kind == URL_ENCODED:
        sink, allowed = _UrlEncoded(received), FORM_BYTES
    else:
        sink, allowed = _Body(received, folder), limit
    count, started = 0, time.monotonic()
    try:
        async for chunk in _chunks(request, idle_seconds):
            count += len(chunk)
            if count > allowed:
                raise HTTPException(400, SONG_AS_FORM) if kind == URL_ENCODED else too_large(limit)
            elapsed = time.monotonic() - started
            if elapsed > idle_seconds and count < LEAST_BYTES_PER_SECOND * elapsed:
                raise HTTPException(
                    408, "upload: expected it to go on faster, it would hold its place for hours; try again"
                )
            await to_thread.run_sync(sink.write, chunk)
        await to_thread.run_sync(sink.finish)
    except HTTPException as error:  # what is still to come of the body shall not be waited for
        error.headers = {**(error.headers or {}), "Connection": "close"}
        raise
    except FormParserError as error:
        raise HTTPException(
            400, "form: expected multipart/form-data, received something else", {"Connection": "close"}
        ) from error
    except OSError as error:
        if is_full(error):
            raise HTTPException(507, FULL, {"Connection": "close"}) from error
        raise
    finally:
        sink.close()
    if received.path is not None and received.path.stat().st_size > limit:
        raise too_large(limit)
    return received


def check_length(request: Request, limit: int) -> None:
    """Raise 413 for a body that says itself that it is too large, before any of it is read."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > limit + FORM_BYTES:
        raise too_large(limit)


def too_large(limit: int) -> HTTPException:
    """Return the error for too many bytes."""
    return HTTPException(
        413,
        f"song: expected at most {limit / 1e6:g} MB, received more; upload flac or mp3 in place of wav, or cut it",
        headers={"Connection": "close"},
    )


async def _chunks(request: Request, idle_seconds: float) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), idle_seconds)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise HTTPException(
                408, f"upload: expected it to go on, nothing came for {idle_seconds:g} s; try again"
            ) from error
        yield chunk


class _Body:
    """The song alone."""

    def __init__(self, received: Received, folder: Path) -> None:
        self._received, self._path = received, folder / "song"
        self._file = self._path.open("wb")
        self._bytes = 0

    def write(self, chunk: bytes) -> None:
        self._bytes += self._file.write(chunk)

    def finish(self) -> None:
        self._file.close()
        if self._bytes:
            self._received.path = self._path

    def close(self) -> None:
        self._file.close()


class _UrlEncoded:
    """A form without a file."""

    def __init__(self, received: Received) -> None:
        self._received, self._content = received, bytearray()

    def write(self, chunk: bytes) -> None:
        self._content += chunk

    def finish(self) -> None:
        try:
            self._received.fields = parse_qs(self._content.decode(), strict_parsing=bool(self._content))
        except ValueError as error:  # also of bytes that are no text
            raise HTTPException(400, SONG_AS_FORM) from error

    def close(self) -> None:
        """Nothing is open."""


class _Multipart:
    """A form with the song in it, part by part; the song goes straight to its file."""

    def __init__(self, received: Received, folder: Path, boundary: bytes) -> None:
        self._received, self._path = received, folder / "song"
        self._file: BinaryIO | None = None
        self._header, self._headers = [b"", b""], dict[bytes, bytes]()
        self._name, self._value, self._count, self._ended = "", bytearray(), 0, False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._add_to_header(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add_to_header(1, data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": lambda data, start, end: self._add(data[start:end]),
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def finish(self) -> None:
        if not self._ended:
            raise HTTPException(400, "form: expected its end, the upload was cut off; try again")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._headers, self._value, self._count = {}, bytearray(), self._count + 1
        if self._count > FIELDS:
            raise HTTPException(422, f"form: expected at most {FIELDS} fields, received more; leave some out")

    def _add_to_header(self, part: int, data: bytes) -> None:
        self._header[part] += data

    def _end_header(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename", b"").decode("utf-8", "replace")
        if not filename:  # a field, or a browser's file field that was left empty
            return
        if self._name != "file" or self._received.path is not None:
            raise HTTPException(422, "form: expected one file in the field `file`, received another; leave it out")
        self._received.path, self._received.filename = self._path, filename
        self._file = self._path.open("wb")

    def _add(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)
            return
        self._value += data
        if len(self._value) > FORM_BYTES:
            raise HTTPException(422, f"form: expected at most {FORM_BYTES} bytes in {self._name[:80]!r}, received more")

    def _end_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        elif self._name != "file":
            self._received.fields.setdefault(self._name, []).append(self._value.decode("utf-8", "replace"))

    def _end(self) -> None:
        self._ended = True
