"""HTTP with patience: what may pass is tried again, what stays is one sentence."""

import pytest

from demix.data import web
from demix.data.events import Event
from demix.data.fetch import fetch
from demix.data.part import RemoteFile
from demix.errors import DemixError


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_ends_at_once(server, remote, tmp_path, status):
    server.script.append(server.answer(status))
    with pytest.raises(DemixError, match=f"received HTTP {status}"):
        fetch(remote, tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_tried_again(server, remote, tmp_path, status, body):
    server.script += [server.answer(status)] * (web.ATTEMPTS - 1)
    assert fetch(remote, tmp_path).read_bytes() == body


def test_the_pause_that_the_server_asks_for_is_kept(server, remote, tmp_path, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(web.time, "sleep", pauses.append)
    server.script += [server.answer(429, Retry_After=59), server.answer(503, Retry_After=86400)]
    events: list[Event] = []
    fetch(remote, tmp_path, on_event=events.append)
    assert pauses == [59.0, web.LONGEST_PAUSE_SECONDS]
    assert "HTTP 429" in events[0].text
    assert "again in 59 s" in events[0].text


def test_pauses_grow(server, remote, tmp_path, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(web, "FIRST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(web.time, "sleep", pauses.append)
    server.script += [server.answer(500)] * 4
    fetch(remote, tmp_path)
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_server_that_is_not_there_is_one_sentence(tmp_path, server):
    gone = RemoteFile("http://127.0.0.1:9/a.zip", "a.zip")
    with pytest.raises(DemixError, match=r"a\.zip: the connection failed .* refused"):
        fetch(gone, tmp_path)


def test_a_record_cannot_make_us_read_local_files(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    with pytest.raises(DemixError, match="starts with https"):
        fetch(RemoteFile(secret.as_uri(), "a.zip"), tmp_path / "temp")


def test_redirects_are_followed_with_the_range(server, remote, tmp_path, body):
    server.files["/moved.zip"] = body
    server.script += [server.cut(1_000_000), server.answer(302, Location="/moved.zip")]
    assert fetch(remote, tmp_path).read_bytes() == body
    assert server.requests[-1] == ("/moved.zip", "bytes=1000000-")
