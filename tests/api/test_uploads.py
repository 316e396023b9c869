"""Uploads: counted while they stream, known by what is in them, and gone when they are refused."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

MEGABYTE = 1_000_000


def refused(server: Any, answer: httpx.Response, status: int, says: str) -> None:
    """Expect a sentence, and nothing left."""
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert says in detail
    assert "\n" not in detail
    assert str(server.folder) not in detail
    assert "data/temp" not in detail
    nothing_left(server)


def nothing_left(server: Any) -> None:
    deadline = time.monotonic() + 10
    while server.temp_files() or any(server.stored_files(".")):
        assert time.monotonic() < deadline, server.temp_files()
        time.sleep(0.1)


def connection(server: Any) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def zeros(megabytes: float) -> Iterator[bytes]:
    for _ in range(round(megabytes * 10)):
        yield bytes(MEGABYTE // 10)


@pytest.fixture
def small(serve: Any) -> Any:
    return serve(workers=0, upload_megabytes=2, song_minutes=0.05, upload_idle_seconds=1, queue_limit=2)


def test_bytes_are_counted(small: Any) -> None:
    place = "/api/v1/separations"
    with connection(small) as told:
        told.sendall(b"POST /api/v1/separations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n")
        assert b" 413 " in told.recv(4096)
    nothing_left(small)
    # Without a length the server stops listening at its limit; it must not wait for what comes after.
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for piece in zeros(500):
            sent += len(piece)
            yield piece

    for headers in ({"Content-Type": "audio/x"}, {"Content-Type": "multipart/form-data; boundary=x"}):
        sent = 0
        try:
            answer = small.http.post(place, content=endless(), headers=headers)
        except httpx.TransportError:
            pass  # the server has closed the connection while the client was still sending
        else:
            assert answer.status_code in (400, 413)
        assert sent < 100 * MEGABYTE
        nothing_left(small)
    assert small.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("name", ["song.mp3", "song", "list.m3u8"])
def test_what_it_is_decides_its_content(small: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("#EXTM3U\n#EXTINF:1,\nfile:/etc/passwd\n")
    refused(small, small.upload(tmp_path / name), 422, f"{name}: expected audio")


def test_songs_that_are_too_long_or_nothing(small: Any, song: Path, tmp_path: Path) -> None:
    refused(small, small.upload(song), 422, "my song.mp3: expected at most 0.05 minutes, received")
    (tmp_path / "empty.wav").write_bytes(b"")
    refused(small, small.upload(tmp_path / "empty.wav"), 422, "empty")
    refused(small, small.http.post("/api/v1/separations"), 422, "expected one as the field `file`")
    refused(small, small.http.post("/api/v1/separations", data={"title": "x"}), 422, "song: expected one")


def test_options_are_checked(small: Any, song: Path) -> None:
    for field, value, says in (
        ("models", "wavenet", "models: expected unet, vit, received 'wavenet'"),
        ("stems", "guitar", "stems: expected vocals, drums, bass, other"),
        ("format", "ogg", "format: expected one of wav, flac, mp3"),
        ("two_stems", "piano", "two_stems"),
        ("example", "thriller", "example: expected one of lithium"),
        ("colour", "red", "options: expected"),
    ):
        refused(small, small.upload(song, **{field: value}), 422, says)
    refused(small, small.upload(song, two_stems="bass", stems="bass"), 422, "expected one of them, received both")
    refused(small, small.upload(song, example="lithium"), 422, "a file or an example")


def test_forms_that_are_broken(small: Any, song: Path) -> None:
    place = "/api/v1/separations"
    headers = {"Content-Type": "multipart/form-data; boundary=abc"}
    refused(small, small.http.post(place, content=b"no form", headers=headers), 400, "form: expected")
    cut = b'--abc\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF'
    refused(small, small.http.post(place, content=cut, headers=headers), 400, "cut off")
    bare = {"Content-Type": "multipart/form-data"}
    refused(small, small.http.post(place, content=cut, headers=bare), 400, "boundary")
    two = [("file", ("a", b"x")), ("file", ("b", b"y"))]
    refused(small, small.http.post(place, files=two), 422, "expected one file")
    other = small.http.post(place, files={"picture": ("a.png", b"x")})
    refused(small, other, 422, "expected one file in the field `file`")
    as_form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(small, small.http.post(place, content=song.read_bytes() * 2, headers=as_form), 400, "curl -F file=@")


def test_an_upload_that_stops_is_forgotten(small: Any) -> None:
    head = b"POST /api/v1/separations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc"
    with connection(small) as gone:
        gone.sendall(head)
    with connection(small) as idle:
        idle.sendall(head)
        assert b" 408 " in idle.recv(4096)
    nothing_left(small)
    assert 'uploading"} 0.0' in small.http.get("/metrics").text


def test_a_full_queue_sends_away(small: Any, song: Path) -> None:
    data = {"example": "lithium"}
    place = "/api/v1/separations"
    assert [small.http.post(place, data=data).status_code for _ in range(3)] == [202, 202, 429]
    answer = small.http.post(place, data=data)
    assert int(answer.headers["Retry-After"]) > 0
    assert "2 songs wait" in answer.json()["detail"]


def test_names_are_shown_but_never_used(server: Any, song: Path, tmp_path: Path) -> None:
    for name, title in (
        ("../../../etc/cron.d/x.mp3", "x.mp3"),
        ("C:\\Music\\a\x1b[31mb.mp3", "a[31mb.mp3"),
        ("..", ".."),
        ("ü" * 300 + ".mp3", "ü" * 120),
    ):
        files = {"file": (name, song.read_bytes())}
        job = server.http.post("/api/v1/separations", files=files).raise_for_status().json()
        assert job["title"] == title
        server.wait(job["id"])
        packed = server.http.get(f"/api/v1/separations/{job['id']}/zip").raise_for_status()
        assert "/" not in packed.headers["Content-Disposition"].split("filename=")[1].split("''")[0]
    assert not list(tmp_path.parent.rglob("cron.d"))
