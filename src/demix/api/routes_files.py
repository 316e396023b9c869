"""The API's files: stems to hear and to save, and what there is to see of them."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from zipstream import ZipStream

from demix.api.access import Found, Shared, limit_requests
from demix.api.forms import KINDS, BusyError, check_form, is_there, stem_in_form
from demix.api.jobs import DONE, Job
from demix.api.ranges import CHUNK_BYTES, attachment, stored_file
from demix.api.schemas import Geometry, Peaks, Problem
from demix.api.services import Services
from demix.errors import DemixError

router = APIRouter(
    prefix="/separations/{separation_id}",
    tags=["files"],
    dependencies=[Depends(limit_requests)],
    responses={404: {"model": Problem}, 409: {"model": Problem, "description": "not done yet"}},
)
Kind = Annotated[Literal["wav", "flac", "mp3"] | None, Query(alias="format", description="by default the separation's")]
Tile = Annotated[int, Path(ge=0, le=1_000_000, description="its number, from 0 on")]
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\..*)?", re.IGNORECASE)  # by Windows
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": dict.fromkeys(KINDS.values(), _BINARY)},
    206: {"content": dict.fromkeys(KINDS.values(), _BINARY), "description": "the part that was asked for"},
    304: {"description": "not changed"},
    416: {"model": Problem, "description": "a range beyond the end"},
    422: {"model": Problem},
}
_IMAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": _BINARY}}}


def done(job: Found) -> Job:
    """Return a separation that is done; 409 for another."""
    if job.status != DONE:
        raise HTTPException(409, f"expected a separation that is done, this one is {job.status}; follow its events")
    return job


Done = Annotated[Job, Depends(done)]


@router.get("/systems/{system}/stems/{stem}", responses=_AUDIO, response_class=Response)
@router.head("/systems/{system}/stems/{stem}", include_in_schema=False)
def stem_audio(
    request: Request, services: Shared, job: Done, system: str, stem: str, kind: Kind = None, download: bool = False
) -> Response:
    """Get a stem. Ranges are answered; the first time in a new format takes as long as the conversion does."""
    _check(job, system, stem)
    chosen = kind or job.kind
    try:
        name = stem_in_form(services, job, system, stem, chosen)
    except BusyError as error:
        raise HTTPException(503, str(error), {"Retry-After": "10"}) from error
    except DemixError as error:
        raise HTTPException(422, str(error)) from error
    except FileNotFoundError as error:
        raise _gone() from error
    filename = f"{_title(job)} - {stem} ({system}).{chosen}" if download else None
    return stored_file(request, services.store, job.id, name, media_type=KINDS[chosen], filename=filename)


@router.get("/systems/{system}/stems/{stem}/peaks", response_model=Peaks)
def peaks(request: Request, services: Shared, job: Done, system: str, stem: str) -> Response:
    """Get a stem's waveform to draw."""
    _check(job, system, stem)
    return stored_file(request, services.store, job.id, f"{system}/{stem}.json", media_type="application/json")


@router.get("/spectrogram", response_model=Geometry)
def spectrogram(request: Request, services: Shared, job: Done) -> Response:
    """Get how many tiles there are, and how to read them."""
    return stored_file(request, services.store, job.id, "spectrogram/geometry.json", media_type="application/json")


@router.get("/spectrogram/{tile}", responses=_IMAGE, response_class=Response)
def spectrogram_tile(request: Request, services: Shared, job: Done, tile: Tile) -> Response:
    """Get a part of the mixture's spectrogram: grey, a pixel's value is its level between `low_db` and `high_db`."""
    return stored_file(request, services.store, job.id, f"spectrogram/{tile}.png", media_type="image/png")


@router.get("/systems/{system}/masks/{stem}/{tile}", responses=_IMAGE, response_class=Response)
def mask_tile(request: Request, services: Shared, job: Done, system: str, stem: str, tile: Tile) -> Response:
    """Get a part of a mask: grey, a pixel's value is the share of the mixture that the system gives to the stem."""
    _check(job, system, stem)
    name = f"{system}/masks/{stem}/{tile}.png"
    return stored_file(request, services.store, job.id, name, media_type="image/png")


@router.get("/zip", responses={200: {"content": {"application/zip": _BINARY}}}, response_class=Response)
def archive(
    services: Shared,
    job: Done,
    system: Annotated[str | None, Query(description="by default all models")] = None,
    kind: Kind = None,
) -> Response:
    """Get all stems in one zip file; stems in a new format are converted while it is sent, and its size is not told."""
    title, chosen = _title(job), kind or job.kind
    try:
        check_form(job, chosen)
    except DemixError as error:
        raise HTTPException(422, str(error)) from error
    stems = [(each, stem) for each in ([system] if system else job.models) for stem in job.stems]
    for each, stem in stems:
        _check(job, each, stem)
    whole = all(is_there(services, job, each, stem, chosen) for each, stem in stems)
    packed = ZipStream(sized=whole)  # not compressed: audio is already
    for each, stem in stems:
        name = f"{each}/{stem}.{chosen}"
        try:
            size = services.store.size(job.id, name) if whole else None
        except FileNotFoundError as error:
            raise _gone() from error
        packed.add(_chunks(services, job, each, stem, chosen), f"{title}/{name}", size=size)
    headers = {"Content-Disposition": attachment(f"{title}.zip")}
    headers |= {"Content-Length": str(len(packed))} if whole else {}
    return StreamingResponse(packed, headers=headers, media_type="application/zip")


def _chunks(services: Services, job: Job, system: str, stem: str, kind: str) -> Iterator[bytes]:
    name = stem_in_form(services, job, system, stem, kind)
    with services.store.open(job.id, name) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _check(job: Job, system: str, stem: str) -> None:
    """Raise 404 for a system or a stem that this separation does not have; after it both are safe in a name."""
    if system not in job.systems:
        raise HTTPException(404, f"system: expected one of {', '.join(job.systems)}")
    if stem not in job.stems:
        raise HTTPException(404, f"stem: expected one of {', '.join(job.stems)}")


def _title(job: Job) -> str:
    """Return a separation's title as a name for downloads: no path, no suffix, nothing that a file system minds."""
    name = re.sub(r"\.\w{1,5}$", "", re.sub(r'[<>:"/\\|?*]', "_", job.title))[:80].strip(" .") or "song"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def _gone() -> HTTPException:
    return HTTPException(404, "expected the stem of a separation, found none: it was deleted meanwhile")
