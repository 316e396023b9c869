"""The API's separations: created from an upload, followed, cancelled, deleted."""

import asyncio
import shutil
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from demix.api import work
from demix.api.access import Found, Owner, Shared, limit_requests, limit_separations
from demix.api.examples import EXAMPLES
from demix.api.jobs import Job, Order
from demix.api.limited import run_limited
from demix.api.orders import ORDER_BODY, ORDER_PARAMETERS, read_order
from demix.api.receive import Received, check_length, receive
from demix.api.schemas import Problem, Separation, Separations, show
from demix.api.services import Services
from demix.api.store import INPUT
from demix.errors import DemixError
from demix.provenance import usable_cores

PROBE_MEGABYTES = 3000
RETRY_SECONDS = 15  # what a client is told when the queue is full

router = APIRouter(prefix="/separations", tags=["separations"], dependencies=[Depends(limit_requests)])
_probes = asyncio.Semaphore(2 * usable_cores())  # uploads whose beginning is decoded at the same time
BY_ID: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}


def shown(services: Services, job: Job) -> Separation:
    """Return a job as clients see it, with its place in the queue."""
    return show(job, services.jobs.position(job))


@router.post(
    "",
    status_code=202,
    response_model=Separation,
    dependencies=[Depends(limit_separations)],
    responses={code: {"model": Problem} for code in (400, 408, 413, 422, 429, 507)},
    openapi_extra={"requestBody": ORDER_BODY, "parameters": ORDER_PARAMETERS},
)
async def create(request: Request, response: Response, services: Shared, owner: Owner) -> Separation:
    """Upload a song, or name an example, to be separated.

    The song comes as the field `file` of a form, with the options as other fields; or as the whole body, with the
    options as query parameters. What it is decides its content, not its name. The answer comes once it is stored.
    """
    settings = services.settings
    check_length(request, settings.upload_bytes)  # before it takes a place in the queue
    given = {name: request.query_params.getlist(name) for name in request.query_params}
    order = read_order(given, filename="", owner=owner, settings=settings)
    job = await to_thread.run_sync(lambda: services.jobs.admit(order, limit=settings.queue_limit))
    if job is None:
        raise HTTPException(
            429,
            f"queue: {settings.queue_limit} songs wait or are on their way already; try again later",
            {"Retry-After": str(RETRY_SECONDS)},
        )
    folder = services.temp / job.id
    accepted = False
    beating = asyncio.create_task(_beat(services, job))
    try:
        folder.mkdir(parents=True)
        received = await receive(
            request, folder, limit=settings.upload_bytes, idle_seconds=settings.upload_idle_seconds
        )
        order = read_order(given | received.fields, filename=received.filename, owner=owner, settings=settings)
        facts = await _check_song(services, order, received)
        accepted = await to_thread.run_sync(_accept, services, job, order, received, facts)
    except ClientDisconnect:
        raise HTTPException(400, "upload: cut off by the client; try again") from None
    finally:
        beating.cancel()
        if not accepted:
            await to_thread.run_sync(_forget, services, job)
        await to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))
    await to_thread.run_sync(services.wake)
    current = await to_thread.run_sync(services.jobs.get, job.id)
    if not accepted or current is None:
        raise _too_slow()
    response.headers["Location"] = f"{request.url.path}/{job.id}"
    return await to_thread.run_sync(shown, services, current)


@router.get("", response_model=Separations)
def list_own(services: Shared, owner: Owner) -> Separations:
    """List the separations of the API key. Without keys there are none: an id is all that leads to a separation."""
    jobs = services.jobs.of_owner(owner) if owner else []
    return Separations(separations=[shown(services, job) for job in jobs])


@router.get("/{separation_id}", response_model=Separation, responses=BY_ID)
def status(services: Shared, job: Found) -> Separation:
    """Tell how a separation stands."""
    return shown(services, job)


@router.post("/{separation_id}/cancel", response_model=Separation, responses=BY_ID | {409: {"model": Problem}})
def cancel(services: Shared, job: Found) -> Separation:
    """End a separation that has not ended; what it has made so far is removed."""
    if not services.jobs.cancel(job.id, keep_seconds=services.keep_seconds):
        raise HTTPException(
            409, f"expected a separation that waits or runs, this one is {job.status}; delete it instead"
        )
    services.store.remove(job.id)
    current = services.jobs.get(job.id)
    if current is None:
        raise HTTPException(404, "deleted meanwhile")
    return shown(services, current)


@router.delete("/{separation_id}", status_code=204, responses=BY_ID)
def delete(services: Shared, job: Found) -> None:
    """Delete a separation with all its files; one that runs ends."""
    services.jobs.delete(job.id)
    services.store.remove(job.id)
    for path in services.temp.glob(f"{job.id}*"):  # what a killed process left of it here
        shutil.rmtree(path, ignore_errors=True)


async def _beat(services: Services, job: Job) -> None:
    """Say again and again that an upload goes on: while it comes, waits for its probe, is probed and stored."""
    while True:
        await asyncio.sleep(services.settings.beat_seconds)
        await to_thread.run_sync(services.jobs.beat_upload, job.id)


async def _check_song(services: Services, order: Order, received: Received) -> dict[str, Any]:
    """Find out what was uploaded; 422 when it is not a song that can be taken."""
    if order.example is not None:
        if received.path is not None:
            raise HTTPException(422, "form: expected a file or an example, received both; leave one out")
        return {"seconds": EXAMPLES[order.example].seconds}
    if received.path is None:
        raise HTTPException(422, "song: expected one as the field `file`, or as the body, received none; send one")
    settings = services.settings
    async with _probes:
        try:
            found = await to_thread.run_sync(
                lambda: run_limited(
                    work.probe,
                    received.path,
                    order.title,
                    settings.song_minutes,
                    seconds=settings.probe_seconds,
                    megabytes=PROBE_MEGABYTES,
                )
            )
        except DemixError as error:
            if not received.path.exists():
                raise _too_slow() from error
            raise HTTPException(422, str(error)) from error
    return {"seconds": found.seconds, "sample_rate": found.sample_rate, "channels": found.channels}


def _too_slow() -> HTTPException:
    """Return the error for an upload that the janitor took for dead, on a machine that is far too busy."""
    return HTTPException(503, "the upload took too long to be kept; try again", {"Retry-After": str(RETRY_SECONDS)})


def _accept(services: Services, job: Job, order: Order, received: Received, facts: dict[str, Any]) -> bool:
    """Store the song and let the job wait; False when it took so long that it was given up."""
    if received.path is not None:
        try:
            services.store.put(job.id, INPUT, received.path)
        except FileNotFoundError:
            return False
    return services.jobs.enqueue(job.id, **order.to_columns(), **facts)


def _forget(services: Services, job: Job) -> None:
    services.store.remove(job.id)  # first: on a disk that is full to the last byte the table cannot be written
    services.jobs.fail_upload(job.id)
