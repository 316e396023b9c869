"""What went wrong, as a sentence in JSON, whatever it was."""

import logging
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demix.files import is_full

_SEE = "see /api/v1/openapi.json"
_SENTENCES = {404: f"nothing is here; {_SEE}", 405: f"expected another method; {_SEE}"}
_log = logging.getLogger("demix.api")
_PLAIN = ("Not Found", "Method Not Allowed")  # what Starlette says of its own
FAILURE = "something went wrong on the server; try again later"
FULL = "the server's disk is full; try again later"


def add_handlers(app: FastAPI) -> None:
    """Let an app answer every error with `{"detail": "<one sentence>"}`."""
    app.add_exception_handler(HTTPException, _tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(OSError, _tell_disk)
    app.add_exception_handler(OperationalError, _tell_database)


async def _tell(_request: Request, problem: Exception) -> JSONResponse:
    error = cast("HTTPException", problem)
    detail = _SENTENCES.get(error.status_code, error.detail) if error.detail in _PLAIN else error.detail
    return JSONResponse({"detail": detail}, error.status_code, error.headers)


async def _tell_invalid(_request: Request, problem: Exception) -> JSONResponse:
    first = cast("RequestValidationError", problem).errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return JSONResponse({"detail": f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"}, 422)


async def _tell_disk(_request: Request, error: Exception) -> JSONResponse:
    if not is_full(error):
        raise error
    return JSONResponse({"detail": FULL}, 507)


async def _tell_database(_request: Request, error: Exception) -> JSONResponse:
    if "full" in str(cast("OperationalError", error).orig):
        return JSONResponse({"detail": FULL}, 507)
    return JSONResponse({"detail": "the job table does not answer; try again later"}, 503, {"Retry-After": "5"})


class Catcher:
    """Answers for what nobody expected, and writes it to the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a failure before the answer has begun is answered with 500."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if scope["type"] != "http" or begun:
                raise
            _log.exception("%s %s", scope["method"], getattr(scope.get("route"), "path", "no route"))
            await JSONResponse({"detail": FAILURE}, 500)(scope, receive, send)
