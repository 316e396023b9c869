"""HTTP with patience: an address opened politely and tried again while the fault may pass."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from typing import Any, TypeVar, cast

import demix
from demix.data.events import Event, OnEvent, ignore
from demix.errors import DemixError

ATTEMPTS = 6  # failures in a row, without one new byte, before giving up
FIRST_PAUSE_SECONDS = 1.0  # doubled after every further failure
LONGEST_PAUSE_SECONDS = 120.0  # Zenodo asks for up to 60 s when too many requests came (Retry-After)
TIMEOUT_SECONDS = 30.0  # without a single byte
PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

Result = TypeVar("Result")


def open_url(url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
    """Open an http(s) address for reading; redirects and proxy settings of the environment are followed.

    Args:
        url: the address.
        headers: further request headers.

    Returns:
        The response, to be used as a context manager; its `read1` returns what has arrived.

    Raises:
        DemixError: for an address that is not http(s): a record must not make us read local files.
        OSError: when the connection fails, `urllib.error.HTTPError` for a status from 400.
    """
    if not url.startswith(("https://", "http://")):
        raise DemixError(f"{url!r}: expected an address that starts with https://; check the record")
    request = urllib.request.Request(  # noqa: S310 - the scheme has just been checked
        url,
        headers={
            # Zenodo throttles nameless clients first: github.com/fatiando/pooch/issues/502
            "User-Agent": f"demix/{demix.__version__} (music source separation, Python urllib)",
            **(headers or {}),
        },
    )
    response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    return cast(http.client.HTTPResponse, response)


def retry(
    attempt: Callable[[], Result],
    *,
    what: str,
    progress: Callable[[], int] = lambda: 0,
    on_event: OnEvent = ignore,
) -> Result:
    """Call `attempt` until it succeeds or the fault turns out to stay.

    A cut connection, a timeout, or a status that asks to come back (`PASSING_STATUS`) is tried again after a
    growing pause; any other status ends the matter at once. An attempt that got further than all before it
    resets the count, so a line that breaks every minute still finishes a large file.

    Args:
        attempt: does the work; raises OSError or `http.client.HTTPException` when it fails.
        what: the thing for error messages.
        progress: how far the work has come, in bytes.
        on_event: told of every failure that is followed by another attempt.

    Returns:
        What `attempt` returned.

    Raises:
        DemixError: when the fault stays.
    """
    failures, furthest = 0, progress()
    while True:
        asked: float | None = None
        try:
            return attempt()
        except urllib.error.HTTPError as error:
            with error:  # holds the connection open
                reason, asked = f"HTTP {error.code} {error.reason}", _retry_after(error.headers)
            if error.code not in PASSING_STATUS:
                raise DemixError(
                    f"{what}: expected a file at {error.url}, received {reason}; {_remedy(error.code)}"
                ) from error
            cause: Exception = error
        except (OSError, http.client.HTTPException) as error:
            reason, cause = str(getattr(error, "reason", error)) or type(error).__name__, error
        failures = 1 if progress() > furthest else failures + 1
        furthest = max(furthest, progress())
        if failures >= ATTEMPTS:
            raise DemixError(
                f"{what}: the connection failed {failures} times in a row ({reason}); "
                "what has arrived is kept, run the same command again to go on"
            ) from cause
        pause = min(asked or FIRST_PAUSE_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS)
        on_event(Event("retry", text=f"{what}: {reason}; trying again in {pause:.0f} s"))
        time.sleep(pause)


def read_json(url: str, *, what: str, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Fetch a JSON object.

    Raises:
        DemixError: when the address cannot be reached or what comes is not a JSON object.
    """

    def attempt() -> bytes:
        with open_url(url, {"Accept": "application/json"}) as response:
            return response.read()

    body = retry(attempt, what=what, on_event=on_event)
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise DemixError(f"{what}: expected JSON at {url}, received something else; try again later") from error
    if not isinstance(answer, dict):
        raise DemixError(f"{what}: expected a JSON object at {url}, received {type(answer).__name__}; try again later")
    return answer


def _retry_after(headers: Message) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _remedy(status: int) -> str:
    if status in {401, 403}:
        return "access is refused: open the address in a browser to see what it asks for"
    return "open the address in a browser to see whether it has moved"
