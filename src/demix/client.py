"""A client of a demix server: songs go up, stems come down; `demix separate --server` and any program that likes."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import httpx_sse

from demix.errors import DemixError, printable

API = "/api/v1"
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0  # a server converts a stem before it answers
CHUNK_BYTES = 1 << 18
AWAY_SECONDS = 60.0  # how long a server may be away, as when it starts anew
PAUSE_SECONDS = 1.0
_AWAY = (429, 502, 503, 504)  # busy, or a proxy whose server is away
LONGEST_WAIT_SECONDS = 3600.0  # for room in a server's queue
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Event:
    """What happened to a separation: `status` (its data are the separation), `progress`, `position` or `gone`."""

    name: str
    data: dict[str, Any]


class Client:
    """A connection to a demix server; any number of threads may share it.

    Args:
        server: its address, as `http://localhost:8000`.
        api_key: for a server that asks for one; `DEMIX_API_KEY` of the environment by default.

    Raises:
        DemixError: for what is no address.

    Example:
        >>> with Client("http://localhost:8000") as client:
        ...     job = client.create("song.mp3", models=["vit"])
        ...     ended = list(client.follow(job["id"]))[-1]
        ...     client.download(job["id"], "vit", "vocals", "vocals.wav")
    """

    def __init__(self, server: str, *, api_key: str | None = None) -> None:
        key = api_key or os.environ.get("DEMIX_API_KEY", "")
        self._server = server.rstrip("/")
        if not self._server.startswith(("http://", "https://")):
            raise DemixError(f"server: expected an address as http://localhost:8000, received {server!r}")
        try:
            self._http = httpx.Client(
                base_url=self._server,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise DemixError(f"server: expected an address as http://localhost:8000, received {server!r}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._http.close()

    def service(self) -> dict[str, Any]:
        """Return version, limits, formats and stems of the server."""
        return self._checked(self._send("GET", f"{API}/service"))

    def models(self) -> list[dict[str, Any]]:
        """Return the nets that the server offers."""
        found: list[dict[str, Any]] = self._checked(self._send("GET", f"{API}/models"))["models"]
        return found

    def create(
        self,
        song: str | Path,
        *,
        models: Sequence[str] = (),
        stems: Sequence[str] = (),
        two_stems: str | None = None,
        kind: str = "wav",
        title: str | None = None,
    ) -> dict[str, Any]:
        """Upload a song to be separated; waits while the server's queue is full.

        Args:
            song: the file.
            models: names of nets; the server's default if empty.
            stems: names of stems to keep; all if empty.
            two_stems: a stem to be told from all the others together.
            kind: `wav`, `flac` or `mp3`.
            title: what it is called; the file's name by default.

        Returns:
            The separation, as the API shows it.

        Raises:
            DemixError: for a file that cannot be read, or what the server says against it.
        """
        path = Path(song)
        options: dict[str, Any] = {"format": kind, "title": title or path.name, "models": list(models)}
        options |= {"stems": list(stems)} if stems else {}
        options |= {"two_stems": two_stems} if two_stems else {}
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            try:
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
                answer = self._send(
                    "POST", f"{API}/separations", params=options, content=_pieces(path), headers=headers
                )
            except OSError as error:
                raise DemixError(f"{path}: cannot be read ({error.strerror}); check the path") from error
            if answer.status_code not in _AWAY or time.monotonic() > deadline:
                return self._checked(answer)
            wait = answer.headers.get("Retry-After", "")
            time.sleep(float(wait) if wait.isdecimal() else PAUSE_SECONDS)

    def status(self, separation_id: str) -> dict[str, Any]:
        """Return how a separation stands."""
        return self._checked(self._send("GET", f"{API}/separations/{separation_id}"))

    def follow(self, separation_id: str) -> Iterator[Event]:
        """Give all that happens to a separation until its end; a dropped connection is taken up where it was.

        Raises:
            DemixError: when there is no such separation, or the server stays away.
        """
        last, patience = "", _Patience()
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            try:
                with httpx_sse.connect_sse(
                    self._http, "GET", f"{API}/separations/{separation_id}/events", headers=headers
                ) as source:
                    self._check_stream(source.response)
                    for event in source.iter_sse():
                        patience.reset()
                        last = event.id or last
                        found = Event(event.event, event.json())
                        yield found
                        if found.name == "gone" or (found.name == "status" and found.data["status"] in ENDED):
                            return
            except (httpx.TransportError, httpx_sse.SSEError) as error:
                if patience.is_over():
                    raise self._unreachable(error) from error
            time.sleep(PAUSE_SECONDS)

    def download(
        self, separation_id: str, system: str, stem: str, target: str | Path, *, kind: str | None = None
    ) -> None:
        """Write a stem into a file; a dropped connection is taken up where it was.

        Args:
            separation_id: of a separation that is done.
            system: a model's name.
            stem: which.
            target: the file; it is replaced.
            kind: `wav`, `flac` or `mp3`; what was ordered by default.

        Raises:
            DemixError: when there is no such stem, or the server stays away.
        """
        url = f"{API}/separations/{separation_id}/systems/{system}/stems/{stem}"
        params = {"format": kind} if kind else {}
        patience = _Patience()
        with Path(target).open("wb") as file:
            while True:
                headers = {"Range": f"bytes={file.tell()}-"} if file.tell() else {}
                try:
                    with self._http.stream("GET", url, params=params, headers=headers) as answer:
                        self._check_stream(answer)
                        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
                            file.seek(0)
                        for piece in answer.iter_raw():  # as it comes: what is here need not come again
                            file.write(piece)
                            patience.reset()
                    file.truncate()
                except httpx.TransportError as error:
                    if patience.is_over():
                        raise self._unreachable(error) from error
                    time.sleep(PAUSE_SECONDS)
                else:
                    return

    def cancel(self, separation_id: str) -> dict[str, Any]:
        """End a separation that has not ended."""
        return self._checked(self._send("POST", f"{API}/separations/{separation_id}/cancel"))

    def delete(self, separation_id: str) -> None:
        """Delete a separation with all its files."""
        answer = self._send("DELETE", f"{API}/separations/{separation_id}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            self._checked(answer)

    def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, url, **more)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _check_stream(self, answer: httpx.Response) -> None:
        """Raise for an answer that is none: as a lost connection where the server may be back soon."""
        if answer.is_error:
            answer.read()
            if answer.status_code in _AWAY:
                raise httpx.NetworkError(f"status {answer.status_code}")
            self._checked(answer)

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        """Return an answer's JSON; raise what the server says against the request."""
        try:
            found = answer.json() if answer.content else {}
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise DemixError(f"{self._server}: expected a demix server, received something else; check the address")
        if answer.is_error:
            detail = found.get("detail", f"answered with status {answer.status_code}")
            names_song = answer.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.REQUEST_ENTITY_TOO_LARGE)
            raise DemixError(printable(str(detail)) if names_song else f"{self._server}: {printable(str(detail))}")
        return found

    def _unreachable(self, error: Exception) -> DemixError:
        reason = str(error) or type(error).__name__
        return DemixError(f"{self._server}: no answer ({reason}); check the address, and that `demix serve` runs there")


class _Patience:
    """Runs out when nothing came for a while."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._end = time.monotonic() + AWAY_SECONDS

    def is_over(self) -> bool:
        return time.monotonic() > self._end


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece
