"""The API's events: a separation followed to its end, over a stream that can be taken up again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from demix.api.access import Shared, client_of, find_job, limit_requests
from demix.api.jobs import ENDED, Job
from demix.api.routes_separations import BY_ID, RETRY_SECONDS, shown
from demix.api.services import Services

POLL_SECONDS = 0.4
STREAMS_OF_A_CLIENT, STREAMS = 50, 300

router = APIRouter(prefix="/separations", tags=["separations"], dependencies=[Depends(limit_requests)])


async def limit_streams(request: Request) -> AsyncIterator[None]:
    """Count a stream as long as it lasts; 429 for one too many: each asks the table again and again."""
    streams: Counter[str] = request.app.state.streams
    client = client_of(request, "")
    if streams[client] >= STREAMS_OF_A_CLIENT or streams.total() >= STREAMS:
        raise HTTPException(
            429,
            f"expected at most {STREAMS_OF_A_CLIENT} streams of events at once, received more; ask for the status",
            {"Retry-After": str(RETRY_SECONDS)},
        )
    streams[client] += 1
    try:
        yield
    finally:
        streams[client] -= 1
        if not streams[client]:
            del streams[client]


@router.get(
    "/{separation_id}/events",
    response_class=EventSourceResponse,
    responses=BY_ID,
    dependencies=[Depends(find_job), Depends(limit_streams)],
)
async def events(
    request: Request,
    separation_id: str,
    services: Shared,
    last_event_id: Annotated[str | None, Header(description="id of the last event that was seen")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a separation: `status` (all of it), `progress`, `position`; ends with its end. `gone`: it was deleted."""
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 16 else 0
    told: str | None = None
    place: int | None = None
    while not services.stopping.is_set():
        # The job first: of one that has ended, all events are there.
        job = await to_thread.run_sync(services.jobs.get, separation_id)
        news = await to_thread.run_sync(services.jobs.events, separation_id, seen)
        if job is None:
            yield ServerSentEvent(event="gone", data={})
            return
        for each in news:
            if each.kind != "status":
                yield ServerSentEvent(event=each.kind, data=each.data, id=str(each.id))
        seen = max([seen, *(each.id for each in news)])
        if job.status != told:
            yield ServerSentEvent(event="status", data=await _wire(services, job), id=str(seen))
            told = job.status
        if job.status in ENDED:
            return
        now = await to_thread.run_sync(services.jobs.position, job)
        if now is not None and now != place:
            yield ServerSentEvent(event="position", data={"position": now})
        place = now
        await asyncio.sleep(POLL_SECONDS)
        if await request.is_disconnected():
            return


async def _wire(services: Services, job: Job) -> dict[str, Any]:
    separation = await to_thread.run_sync(shown, services, job)
    return separation.model_dump(mode="json")
