"""For those who run the server: whether it lives, whether it is ready, and what it does."""

import shutil
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demix.api.access import Shared
from demix.api.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, UPLOADING
from demix.api.nets import facts_of, offered_nets
from demix.api.services import Services
from demix.errors import DemixError

router = APIRouter(tags=["health"])
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_STATES = (UPLOADING, QUEUED, RUNNING, DONE, FAILED, CANCELLED)


class Meters:
    """What is counted: in a registry of each app's own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("demix_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "demix_request_seconds", "Time until an answer began.", ("method", "route"), registry=self.registry
        )
        self.upload_bytes = Counter("demix_upload_bytes", "Bytes of bodies received.", registry=self.registry)
        self.jobs = Gauge("demix_separations", "Separations in the table.", ("status",), registry=self.registry)


@router.get("/healthz")
@router.head("/healthz", include_in_schema=False)
async def healthz() -> dict[str, str]:  # not in a thread: it answers also when all of them are busy
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "something that is needed does not answer"}})
def readyz(services: Shared) -> Response:
    """Say whether job table, queue, files, temporary folder and nets can be used."""
    checks: dict[str, Callable[[], object]] = {
        "jobs": services.jobs.ping,
        "queue": services.ping_queue,
        "files": services.store.ping,
        "temp": lambda: _check_room(services),
        "models": lambda: [facts_of(source) for source in offered_nets(services.settings.models).values()],
    }
    found = {name: _run(check) for name, check in checks.items()}
    ready = all(state == "ok" for state in found.values())
    return JSONResponse({"status": "ok" if ready else "not ready", "checks": found}, 200 if ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request, services: Shared) -> Response:
    """Give all counts in Prometheus' text format."""
    meters: Meters = request.app.state.meters
    counts = services.jobs.counts()
    for state in _STATES:
        meters.jobs.labels(state).set(counts.get(state, 0))
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


def _run(check: Callable[[], object]) -> str:
    try:
        check()
    except DemixError as error:
        return str(error)
    except Exception as error:  # whatever a storage library raises: it is not ready, and says why by kind only
        return f"does not answer ({type(error).__name__})"
    return "ok"


def _check_room(services: Services) -> None:
    services.temp.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(services.temp).free
    if free < services.settings.upload_bytes:
        raise DemixError(f"temporary folder: expected room for one upload, {free / 1e6:.0f} MB are free")


class Meter:
    """Counts requests by their route, never by a client's path."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def counted_receive() -> Message:
            message = await receive()
            self._meters.upload_bytes.inc(len(message.get("body", b"")))
            return message

        async def counted_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "name", "none")
                method = scope["method"] if scope["method"] in _METHODS else "other"  # a client may invent any number
                self._meters.requests.labels(method, route, message["status"]).inc()
                self._meters.seconds.labels(method, route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, counted_receive, counted_send)
