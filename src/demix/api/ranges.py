"""Stored files over HTTP, whole or in part (RFC 9110, sections 13 and 14): players seek, downloads resume."""

import re
from collections.abc import Iterator
from urllib.parse import quote

from fastapi import HTTPException, Request
from fastapi.responses import Response, StreamingResponse

from demix.api.store import Store

CHUNK_BYTES = 1 << 18
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def stored_file(
    request: Request, store: Store, job_id: str, name: str, *, media_type: str, filename: str | None = None
) -> Response:
    """Answer with a stored file, or the part of it that was asked for.

    Files of a job never change, so its id and the file's name make a strong entity tag.

    Args:
        request: `Range`, `If-Range` and `If-None-Match` are heeded; several ranges in one get the whole file.
        store: where the file lies.
        job_id: whose it is.
        name: which.
        media_type: of the content.
        filename: for a file that is to be saved, not shown.

    Raises:
        HTTPException: 404 when there is no such file, 416 for a range beyond its end.
    """
    try:
        size = store.size(job_id, name)
    except FileNotFoundError as error:
        raise HTTPException(404, f"expected {name} of this separation, found none; it may have been deleted") from error
    tag = f'"{job_id}-{name.replace("/", "-")}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600, immutable"}
    if filename is not None:
        headers["Content-Disposition"] = attachment(filename)
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, size, 200
    wanted = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if wanted and wanted.group(0) != "bytes=-" and request.headers.get("If-Range", tag) == tag:
        start, end = _bounds(wanted, size)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        status = 206
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(_read(store, job_id, name, start, end), status, headers, media_type)


def attachment(filename: str) -> str:
    """Return the header that lets a browser save a file under a name (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _bounds(wanted: re.Match[str], size: int) -> tuple[int, int]:
    first, last = wanted.groups()
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= end:
        raise HTTPException(
            416, f"expected a range within {size} bytes, received another", headers={"Content-Range": f"bytes */{size}"}
        )
    return start, end


def _read(store: Store, job_id: str, name: str, start: int, end: int) -> Iterator[bytes]:
    with store.open(job_id, name) as file:
        file.seek(start)
        left = end - start
        while left > 0:
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk
