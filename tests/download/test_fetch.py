"""One file over HTTP: whatever the server does, the file comes whole or not at all."""

from pathlib import Path

import pytest

from demix.data import web
from demix.data.events import Event
from demix.data.fetch import fetch
from demix.data.part import RemoteFile
from demix.errors import DemixError


def test_a_file_arrives_and_leaves_nothing_else(remote, tmp_path, body):
    events: list[Event] = []
    path = fetch(remote, tmp_path, on_event=events.append)
    assert path.read_bytes() == body
    assert list(tmp_path.iterdir()) == [path]
    downloaded = [event for event in events if event.stage == "download"]
    assert [event.done for event in downloaded] == sorted(event.done for event in downloaded)
    assert (downloaded[-1].done, downloaded[-1].total) == (len(body), len(body))
    assert events[-1] == Event("check", len(body), len(body))


def test_a_cut_connection_is_continued_where_it_broke(server, remote, tmp_path, body):
    server.script += [server.cut(1_000_000), server.cut(1_700_000)]
    assert fetch(remote, tmp_path).read_bytes() == body
    assert [asked for _, asked in server.requests] == [None, "bytes=1000000-", "bytes=1700000-"]


def test_a_line_that_breaks_more_often_than_attempts_still_finishes(server, remote, tmp_path, body):
    server.script += [server.cut(100_000 * n) for n in range(1, 3 * web.ATTEMPTS)]
    assert fetch(remote, tmp_path).read_bytes() == body


@pytest.mark.parametrize("known", [True, False], ids=["record", "no-record"])
def test_a_server_without_ranges_starts_over(server, remote, tmp_path, known, body):
    server.script += [server.cut(1_000_000), server.answer(200, body)]
    assert fetch(remote if known else RemoteFile(remote.url, "a.zip"), tmp_path).read_bytes() == body


@pytest.mark.parametrize("lengths", [[1_000_000] * 2, [1_000_000, 900_000]], ids=["one-place", "two-places"])
def test_a_server_without_ranges_that_always_cuts_is_given_up(server, remote, tmp_path, lengths, body):
    server.script += [server.answer(200, body[:length], Content_Length=len(body)) for length in lengths] * 25
    with pytest.raises(DemixError, match=f"failed {web.ATTEMPTS} times in a row"):
        fetch(remote, tmp_path)
    assert len(server.requests) == web.ATTEMPTS
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize(
    ("content_range", "start"),
    [("bytes 999990-2999999/3000000", 999_990), ("bytes 1000000-2999999", 1_000_000), ("nonsense", 0)],
    ids=["shifted", "bare", "none"],
)
def test_another_range_than_asked_for_is_not_appended(server, remote, tmp_path, content_range, start, body):
    server.script += [server.cut(1_000_000), server.answer(206, body[start:], Content_Range=content_range)]
    assert fetch(remote, tmp_path).read_bytes() == body
    assert server.requests[-1] == ("/a.zip", None)


def test_a_part_longer_than_the_file_starts_over(server, remote, tmp_path, body):
    server.script += [server.cut(1_000_000), server.answer(416, Content_Range="bytes */900000")]
    assert fetch(remote, tmp_path).read_bytes() == body


@pytest.mark.parametrize("size", [2_999_999, 3_000_001, 0])
def test_another_length_than_the_record_says_is_refused_before_it_is_loaded(server, remote, tmp_path, size, body):
    server.script.append(server.answer(200, Content_Length=size))
    with pytest.raises(DemixError, match=f"expected {len(body)} bytes as its record says, received a file of {size}"):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_body_longer_than_the_record_says_is_refused(server, remote, tmp_path, body):
    def endless(handler):
        handler.head(200)  # no Content-Length: the end is where the connection ends
        handler.wfile.write(body + b"more")

    server.script.append(endless)
    with pytest.raises(DemixError, match="received more"):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_promise_of_more_bytes_than_come_is_not_believed(server, tmp_path, body):
    server.files["/a.zip"] = body
    server.script += [server.answer(200, body, Content_Length=len(body) + 1)] * web.ATTEMPTS
    with pytest.raises(DemixError, match=f"closed after {len(body)} of {len(body) + 1} bytes"):
        fetch(RemoteFile(server.url("/a.zip"), "a.zip"), tmp_path)
    assert not (tmp_path / "a.zip").exists()


def test_a_wrong_checksum_leaves_nothing_and_the_next_call_starts_over(server, remote, tmp_path, body):
    server.script.append(server.answer(200, b"?" + body[1:]))
    with pytest.raises(DemixError, match=f"expected md5 {remote.checksum[4:]} as its record says"):
        fetch(remote, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert fetch(remote, tmp_path).read_bytes() == body


def test_the_size_in_the_record_counts_where_there_is_no_checksum(remote, tmp_path, body):
    (tmp_path / "a.zip").write_bytes(body[:-1])
    with pytest.raises(DemixError, match="expected 3000000 bytes as its record says, received 2999999 bytes"):
        fetch(RemoteFile(remote.url, "a.zip", len(body)), tmp_path)


@pytest.mark.parametrize(("first", "last"), [(b"", -1), (b"?", None)], ids=["short", "damaged"])
def test_a_whole_file_that_lies_there_is_checked_too(remote, tmp_path, first, last, body):
    (tmp_path / "a.zip").write_bytes((first + body[len(first) :])[:last])
    with pytest.raises(DemixError, match="damaged copy was removed"):
        fetch(remote, tmp_path)
    assert fetch(remote, tmp_path).read_bytes() == body


def test_a_good_file_that_lies_there_is_not_fetched_again(server, remote, tmp_path, body):
    (tmp_path / "a.zip").write_bytes(body)
    assert fetch(remote, tmp_path) == tmp_path / "a.zip"
    assert server.requests == []


def test_an_unknown_checksum_is_not_taken_for_a_good_one(remote, tmp_path, body):
    with pytest.raises(DemixError, match="expected an md5 or sha checksum"):
        fetch(RemoteFile(remote.url, "a.zip", len(body), "crc99:00"), tmp_path)
    assert not (tmp_path / "a.zip").exists()


def test_on_size_hears_what_is_still_to_come_and_may_refuse(server, remote, tmp_path, body):
    sizes: list[int] = []
    server.script.append(server.cut(1_000_000))
    fetch(remote, tmp_path, on_size=sizes.append)
    assert sizes == [len(body), len(body) - 1_000_000]

    def refuse(_: int) -> None:
        raise DemixError("too small")

    with pytest.raises(DemixError, match="too small"):
        fetch(remote, tmp_path / "other", on_size=refuse)
    assert list((tmp_path / "other").iterdir()) == []


def test_a_full_disk_keeps_what_came_and_says_so(remote, tmp_path, monkeypatch, body):
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
    assert fetch(remote, tmp_path).read_bytes() == body
