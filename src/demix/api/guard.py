"""Against other people's web pages: what they let a browser send here is not what its owner wants."""

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from demix.api.settings import Settings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Guard:
    """Refuses requests that change something and come from another site, and names that are not this server's.

    A browser says where a request comes from. And a page whose name suddenly leads to this machine (DNS rebinding) is
    told by that name, so a server that only this machine reaches answers to this machine's names alone, or to those of
    `DEMIX_HOSTS`.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = settings.hosts or (LOOPBACK if settings.host in LOOPBACK else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = _name(headers.get("host", ""))
            problem = None
            if self._hosts and host not in self._hosts:
                problem = (421, "host: expected a name of this server, received another; see DEMIX_HOSTS")
            elif scope["method"] not in SAFE_METHODS and _is_foreign(headers, host):
                problem = (
                    403,
                    "origin: expected a request of this server's own page or of a program, not of another site",
                )
            if problem is not None:
                await JSONResponse({"detail": problem[1]}, problem[0])(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_foreign(headers: Headers, host: str) -> bool:
    """Say whether a browser sends for a page of another origin; programs say nothing of the kind."""
    if "sec-fetch-site" in headers:
        return headers["sec-fetch-site"] not in ("same-origin", "none")
    origin = headers.get("origin", "")
    return bool(origin) and _name(origin.partition("://")[2]) != host


def _name(host: str) -> str:
    """Return a host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
