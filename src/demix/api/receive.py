"""An upload, written to disk while it streams and counted on the way: no byte more than is allowed is ever stored."""

import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from anyio import to_thread
from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import ClientDisconnect

MULTIPART, URL_ENCODED = b"multipart/form-data", b"application/x-www-form-urlencoded"
SONG_AS_FORM = (
    "form: expected options only, received more; send a song as multipart/form-data (curl -F file=@song.mp3) or with "
    "its own Content-Type, as audio/mpeg"
)
FORM_BYTES = 64_000  # of a form's other fields and boundaries
FIELDS = 32
logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it tells of every file that it opens
BEAT_SECONDS = 2.0


@dataclass
class Received:
    """What came: `path` is None without a file; fields are those of the form."""

    path: Path | None = None
    filename: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)


async def receive(
    request: Request, folder: Path, *, limit: int, idle_seconds: float, on_beat: Callable[[], object]
) -> Received:
    """Write a request's body into a folder.

    Args:
        request: with a form whose field `file` is the song, or with the song alone as its body.
        folder: where the song is written; its name is not the client's.
        limit: bytes of the song.
        idle_seconds: how long it may pause.
        on_beat: called every two seconds.

    Raises:
        HTTPException: 400 for a broken form, 408 for a pause, 413 for too many bytes, 507 for a full disk.
        ClientDisconnect: when the client went away.
    """
    check_length(request, limit)
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    received = Received()
    is_form = kind in (MULTIPART, URL_ENCODED)
    sink: _Form | _Body
    if is_form:
        if kind == MULTIPART and not options.get(b"boundary"):
            raise HTTPException(
                400, "form: expected a boundary in Content-Type, received none; let your library set it"
            )
        sink = _Form(received, folder, kind.decode(), options.get(b"boundary"))
        allowed = FORM_BYTES + (limit if kind == MULTIPART else 0)
    else:
        sink, allowed = _Body(received, folder), limit
    count, beaten = 0, time.monotonic()
    try:
        async for chunk in _chunks(request, idle_seconds):
            count += len(chunk)
            if count > allowed and kind == URL_ENCODED:  # what curl calls any body that it is not told the type of
                raise HTTPException(400, SONG_AS_FORM, headers={"Connection": "close"})
            if count > allowed:
                raise too_large(limit)
            await to_thread.run_sync(sink.write, chunk)
            if time.monotonic() - beaten > BEAT_SECONDS:
                beaten = time.monotonic()
                await to_thread.run_sync(on_beat)
        await to_thread.run_sync(sink.finish)
    except FormParserError as error:
        raise HTTPException(400, f"form: expected multipart/form-data, received something else ({error})") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HTTPException(507, "the server's disk is full; try again later") from error
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


class _Form:
    """A form with the song in it."""

    def __init__(self, received: Received, folder: Path, kind: str, boundary: bytes | None) -> None:
        self._received, self._ended = received, False
        self._files: list[File] = []
        settings = {
            "UPLOAD_DIR": str(folder),
            "UPLOAD_DELETE_TMP": False,
            "MAX_MEMORY_FILE_SIZE": 0,
            "MAX_FIELDS": FIELDS,
            "MAX_FIELD_SIZE": FORM_BYTES,
        }
        self._parser = FormParser(kind, self._on_field, self._on_file, self._on_end, boundary=boundary, config=settings)

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def finish(self) -> None:
        self._parser.finalize()
        if not self._ended:
            raise HTTPException(400, "form: expected its end, the upload was cut off; try again")

    def close(self) -> None:
        self._parser.close()
        for each in self._files:
            each.close()

    def _on_end(self) -> None:
        self._ended = True

    def _on_field(self, field: Field) -> None:
        name = (field.field_name or b"").decode("utf-8", "replace")
        self._received.fields.setdefault(name, []).append((field.value or b"").decode("utf-8", "replace"))

    def _on_file(self, file: File) -> None:
        self._files.append(file)
        if not file.size and not file.file_name:  # a form's empty file field
            return
        if file.field_name != b"file" or self._received.path is not None:
            raise HTTPException(422, "form: expected one file in the field `file`, received another; leave it out")
        if file.in_memory:
            file.flush_to_disk()
        self._received.filename = (file.file_name or b"").decode("utf-8", "replace")
        self._received.path = Path((file.actual_file_name or b"").decode())


__all__ = ["ClientDisconnect", "Received", "check_length", "receive", "too_large"]
