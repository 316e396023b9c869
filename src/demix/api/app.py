"""The app: all routes, headers that keep browsers safe, errors as sentences, and workers inside if asked for."""

from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from demix import __version__
from demix.api import guard, health, pages, problems, routes_events, routes_files, routes_separations, routes_service
from demix.api.access import Rates
from demix.api.nets import facts_of, offered_nets
from demix.api.schemas import Problem
from demix.api.services import Services, open_services
from demix.api.settings import Settings, load_settings
from demix.api.worker import working
from demix.onnx_model import pick_device

API = "/api/v1"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
THREADS = 64  # requests that may wait for a disk or a database at the same time


def create_app(settings: Settings | None = None, opened: Services | None = None) -> FastAPI:
    """Make the app, for uvicorn or any other ASGI server.

    Args:
        settings: by default those of the environment.
        opened: what the app works with, if it is open already; it is closed when the app ends.

    Raises:
        DemixError: for settings that cannot be used.
    """
    chosen = settings or load_settings()
    for source in offered_nets(chosen.models).values():
        facts_of(source)  # a net that is not there is told now, not to the first client
    pick_device(chosen.device)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = opened if opened is not None else await to_thread.run_sync(open_services, chosen)
        app.state.services = services
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        work = working(services, songs=chosen.workers)
        await to_thread.run_sync(work.__enter__)
        try:
            yield
        finally:
            await to_thread.run_sync(work.__exit__, None, None, None)
            services.close()

    app = FastAPI(
        title="demix",
        version=__version__,
        summary="Cut songs into vocals, drums, bass and other, with a U-Net and a Vision Transformer.",
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # the usual pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses={422: {"model": Problem, "description": "a value that is none, told in a sentence"}},
    )
    app.state.rates = Rates.from_settings(chosen)
    app.state.meters = health.Meters()
    app.state.streams = Counter()  # of events, by client
    app.include_router(routes_service.public, prefix=API)
    app.include_router(routes_service.router, prefix=API)
    app.include_router(routes_separations.router, prefix=API)
    app.include_router(routes_events.router, prefix=API)
    app.include_router(routes_files.router, prefix=API)
    app.include_router(health.router)
    app.include_router(pages.router)
    problems.add_handlers(app)
    app.add_middleware(problems.Catcher)  # the innermost: what goes wrong is counted, and has all headers
    app.add_middleware(guard.Guard, settings=chosen)
    app.add_middleware(health.Meter, meters=app.state.meters)
    app.add_middleware(_Headers)
    return app


class _Headers:
    """Adds the headers that every answer has, unless the answer has its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", [])}
                missing = [
                    (name.lower().encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.lower().encode() not in there
                ]
                message = {**message, "headers": [*message.get("headers", []), *missing]}
            await send(message)

        await self._app(scope, receive, with_headers)
