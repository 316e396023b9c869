"""One file over HTTP: whatever the server does, the file comes whole or not at all."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from demix.data import web
from demix.data.events import Event
from demix.data.fetch import fetch
from demix.data.part import RemoteFile
from demix.errors import DemixError

BODY = np.random.default_rng(0).bytes(3_000_000)
MD5 = "md5:" + hashlib.md5(BODY, usedforsecurity=False).hexdigest()


@pytest.fixture
def remote(server):
    server.files["/a.zip"] = BODY
    return RemoteFile(server.url("/a.zip"), "a.zip", len(BODY), MD5)


def cut(upto):
    """Answer like a line that breaks after the byte `upto` of the file."""
    return lambda handler: handler.serve(upto=upto)


def answer(status, body=b"", **headers):
    """Answer every request with the same thing, whatever range it asked for."""

    def act(handler):
        handler.head(status, **{"Content_Length": len(body), **headers})
        handler.wfile.write(body)

    return act


def test_a_file_arrives_and_leaves_nothing_else(remote, tmp_path):
    events: list[Event] = []
    path = fetch(remote, tmp_path, on_event=events.append)
    assert path.read_bytes() == BODY
    assert list(tmp_path.iterdir()) == [path]
    downloaded = [event for event in events if event.stage == "download"]
    assert [event.done for event in downloaded] == sorted(event.done for event in downloaded)
    assert (downloaded[-1].done, downloaded[-1].total) == (len(BODY), len(BODY))
    assert events[-1] == Event("check", len(BODY), len(BODY))


def test_a_cut_connection_is_continued_where_it_broke(server, remote, tmp_path):
    server.script += [cut(1_000_000), cut(1_700_000)]
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert [asked for _, asked in server.requests] == [None, "bytes=1000000-", "bytes=1700000-"]


def test_a_later_process_continues_the_part_of_an_earlier_one(server, remote, tmp_path):
    server.script += [cut(1_000_000), *[answer(503)] * (web.ATTEMPTS - 1)]
    with pytest.raises(DemixError, match="run the same command again"):
        fetch(remote, tmp_path)
    assert (tmp_path / "a.zip.part").read_bytes() == BODY[:1_000_000]
    server.requests.clear()
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert server.requests == [("/a.zip", "bytes=1000000-")]


def test_a_line_that_breaks_more_often_than_attempts_still_finishes(server, remote, tmp_path):
    server.script += [cut(100_000 * n) for n in range(1, 3 * web.ATTEMPTS)]
    assert fetch(remote, tmp_path).read_bytes() == BODY


def test_a_part_that_was_complete_needs_no_further_request(server, remote, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("demix.data.fetch._verify", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch(remote, tmp_path)
    server.requests.clear()
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert server.requests == []


@pytest.mark.parametrize("checksum", [MD5, None])
def test_a_server_without_ranges_starts_over(server, remote, tmp_path, checksum):
    server.script += [cut(1_000_000), answer(200, BODY)]
    assert fetch(RemoteFile(remote.url, "a.zip", checksum=checksum), tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("lengths", [[1_000_000] * 2, [1_000_000, 900_000]], ids=["one-place", "two-places"])
def test_a_server_without_ranges_that_always_cuts_is_given_up(server, remote, tmp_path, lengths):
    server.script += [answer(200, BODY[:length], Content_Length=len(BODY)) for length in lengths] * 25
    with pytest.raises(DemixError, match=f"failed {web.ATTEMPTS} times in a row"):
        fetch(remote, tmp_path)
    assert len(server.requests) == web.ATTEMPTS
    assert not (tmp_path / "a.zip").exists()


def test_a_file_that_changed_between_two_attempts_is_not_joined(server, tmp_path):
    new = np.random.default_rng(1).bytes(len(BODY))
    server.files["/a.zip"] = BODY
    remote = RemoteFile(server.url("/a.zip"), "a.zip")

    def change_and_serve(handler):
        server.files["/a.zip"] = new
        handler.serve()

    server.script += [cut(1_000_000), change_and_serve]
    assert fetch(remote, tmp_path).read_bytes() == new


def test_a_part_without_any_mark_of_its_origin_is_not_continued(server, tmp_path):
    server.files["/a.zip"] = BODY
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    assert fetch(RemoteFile(server.url("/a.zip"), "a.zip"), tmp_path).read_bytes() == BODY
    assert server.requests == [("/a.zip", None)]


@pytest.mark.parametrize(
    ("content_range", "start"),
    [("bytes 999990-2999999/3000000", 999_990), ("bytes 1000000-2999999", 1_000_000), ("nonsense", 0)],
    ids=["shifted", "bare", "none"],
)
def test_another_range_than_asked_for_is_not_appended(server, remote, tmp_path, content_range, start):
    server.script += [cut(1_000_000), answer(206, BODY[start:], Content_Range=content_range)]
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert server.requests[-1] == ("/a.zip", None)


def test_a_part_longer_than_the_file_starts_over(server, remote, tmp_path):
    server.script += [cut(1_000_000), answer(416, Content_Range="bytes */900000")]
    assert fetch(remote, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1, 0])
def test_another_length_than_the_record_says_is_refused_before_it_is_loaded(server, remote, tmp_path, size):
    server.script.append(answer(200, Content_Length=size))
    with pytest.raises(DemixError, match=f"expected {len(BODY)} bytes as its record says, received a file of {size}"):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_body_longer_than_the_record_says_is_refused(server, remote, tmp_path):
    def endless(handler):
        handler.head(200)  # no Content-Length: the end is where the connection ends
        handler.wfile.write(BODY + b"more")

    server.script.append(endless)
    with pytest.raises(DemixError, match="received more"):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_promise_of_more_bytes_than_come_is_not_believed(server, tmp_path):
    server.files["/a.zip"] = BODY
    server.script += [answer(200, BODY, Content_Length=len(BODY) + 1)] * web.ATTEMPTS
    with pytest.raises(DemixError, match=f"closed after {len(BODY)} of {len(BODY) + 1} bytes"):
        fetch(RemoteFile(server.url("/a.zip"), "a.zip"), tmp_path)
    assert not (tmp_path / "a.zip").exists()


def test_a_wrong_checksum_leaves_nothing_and_the_next_call_starts_over(server, remote, tmp_path):
    server.script.append(answer(200, b"?" + BODY[1:]))
    with pytest.raises(DemixError, match=f"expected {MD5[:3]} {MD5[4:]} as its record says"):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert fetch(remote, tmp_path).read_bytes() == BODY


def test_the_size_in_the_record_counts_where_there_is_no_checksum(remote, tmp_path):
    (tmp_path / "a.zip").write_bytes(BODY[:-1])
    with pytest.raises(DemixError, match="expected 3000000 bytes as its record says, received 2999999 bytes"):
        fetch(RemoteFile(remote.url, "a.zip", len(BODY)), tmp_path)


@pytest.mark.parametrize("content", [BODY[:-1], b"?" + BODY[1:]], ids=["short", "damaged"])
def test_a_whole_file_that_lies_there_is_checked_too(remote, tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DemixError, match="damaged copy was removed"):
        fetch(remote, tmp_path)
    assert fetch(remote, tmp_path).read_bytes() == BODY


def test_a_good_file_that_lies_there_is_not_fetched_again(server, remote, tmp_path):
    (tmp_path / "a.zip").write_bytes(BODY)
    assert fetch(remote, tmp_path) == tmp_path / "a.zip"
    assert server.requests == []


def test_an_unknown_checksum_is_not_taken_for_a_good_one(remote, tmp_path):
    with pytest.raises(DemixError, match="expected an md5 or sha checksum"):
        fetch(RemoteFile(remote.url, "a.zip", len(BODY), "crc99:00"), tmp_path)
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_ends_at_once(server, remote, tmp_path, status):
    server.script.append(answer(status))
    with pytest.raises(DemixError, match=f"received HTTP {status}"):
        fetch(remote, tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_tried_again(server, remote, tmp_path, status):
    server.script += [answer(status)] * (web.ATTEMPTS - 1)
    assert fetch(remote, tmp_path).read_bytes() == BODY


def test_the_pause_that_the_server_asks_for_is_kept(server, remote, tmp_path, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(web.time, "sleep", pauses.append)
    server.script += [answer(429, Retry_After=59), answer(503, Retry_After=86400)]
    events: list[Event] = []
    fetch(remote, tmp_path, on_event=events.append)
    assert pauses == [59.0, web.LONGEST_PAUSE_SECONDS]
    assert "HTTP 429" in events[0].text
    assert "again in 59 s" in events[0].text


def test_pauses_grow(server, remote, tmp_path, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(web, "FIRST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(web.time, "sleep", pauses.append)
    server.script += [answer(500)] * 4
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


def test_redirects_are_followed_with_the_range(server, remote, tmp_path):
    server.files["/moved.zip"] = BODY
    server.script += [cut(1_000_000), answer(302, Location="/moved.zip")]
    assert fetch(remote, tmp_path).read_bytes() == BODY
    assert server.requests[-1] == ("/moved.zip", "bytes=1000000-")


def test_on_size_hears_what_is_still_to_come_and_may_refuse(server, remote, tmp_path):
    sizes: list[int] = []
    server.script.append(cut(1_000_000))
    fetch(remote, tmp_path, on_size=sizes.append)
    assert sizes == [len(BODY), len(BODY) - 1_000_000]

    def refuse(_: int) -> None:
        raise DemixError("too small")

    with pytest.raises(DemixError, match="too small"):
        fetch(remote, tmp_path / "other", on_size=refuse)
    assert list((tmp_path / "other").iterdir()) == []


def test_a_full_disk_keeps_what_came_and_says_so(remote, tmp_path, monkeypatch):
    real = Path.open

    def full(path, mode="r", **options):
        file = real(path, mode, **options)
        if path.name != "a.zip.part":
            return file

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            seek = file.seek

            def write(self, data):
                if file.tell() + len(data) > 1_000_000:
                    raise OSError(28, "No space left on device")
                return file.write(data)

        return Full()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(DemixError, match=r"No space left on device.*free some room"):
            fetch(remote, tmp_path)
    assert not (tmp_path / "a.zip").exists()
    assert fetch(remote, tmp_path).read_bytes() == BODY
