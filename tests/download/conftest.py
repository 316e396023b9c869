"""A web server on this machine that misbehaves to order."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from demix.data.part import RemoteFile


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files` with ranges and ETags, unless a scripted misbehaviour is next in line."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Range")))
        act = self.server.script.pop(0) if self.server.script else Handler.serve
        act(self)
        self.close_connection = True

    @property
    def body(self) -> bytes:
        return self.server.files[self.path]

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()}"'

    @property
    def start(self) -> int:
        """Where the range asked for begins; 0 when the file has changed since (If-Range)."""
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-")
        return int(asked) if self.headers.get("If-Range", self.etag) == self.etag else 0

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def serve(self, *, upto: int | None = None) -> None:
        """Do it right; or stop after the byte `upto` of the file."""
        if self.path not in self.server.files:
            self.head(404, Content_Length=0)
            return
        start, size = self.start, len(self.body)
        length = {"Content_Length": size - start, "ETag": self.etag}
        if start and start >= size:
            self.head(416, Content_Length=0, Content_Range=f"bytes */{size}")
        elif start:
            self.head(206, Content_Range=f"bytes {start}-{size - 1}/{size}", **length)
        else:
            self.head(200, **length)
        self.wfile.write(self.body[start:upto])

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A local web server whose next answers can be scripted.

    `files` maps paths to bodies; `script` holds functions of a `Handler` that answer the next requests in
    their own way; `requests` lists what came: (path, Range header).
    """

    daemon_threads = False  # server_close() then waits for all answers

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.script: list[Callable[[Handler], None]] = []
        self.requests: list[tuple[str, str | None]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    @staticmethod
    def cut(upto: int) -> Callable[[Handler], None]:
        """Answer like a line that breaks after the byte `upto` of the file."""
        return lambda handler: handler.serve(upto=upto)

    @staticmethod
    def answer(status: int, body: bytes = b"", **headers: object) -> Callable[[Handler], None]:
        """Answer every request with the same thing, whatever range it asked for."""

        def act(handler: Handler) -> None:
            handler.head(status, **{"Content_Length": len(body), **headers})
            handler.wfile.write(body)

        return act

    def handle_error(self, *_: object) -> None:
        pass  # a client that hangs up early is part of the tests


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a scriptable web server on this machine, reached without any proxy, and make retries instant."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("demix.data.web.FIRST_PAUSE_SECONDS", 0.0)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def body() -> bytes:
    """Three million bytes that no compression shortens."""
    return np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def remote(server: Server, body: bytes) -> RemoteFile:
    """Serve `body` as /a.zip, with its size and checksum as a record would tell them."""
    server.files["/a.zip"] = body
    checksum = "md5:" + hashlib.md5(body, usedforsecurity=False).hexdigest()
    return RemoteFile(server.url("/a.zip"), "a.zip", len(body), checksum)
