"""A part is continued by a later process if it is known what it is a part of, and never else."""

from dataclasses import replace

import numpy as np
import pytest

from demix.data import web
from demix.data.fetch import fetch
from demix.data.part import RemoteFile
from demix.errors import DemixError


def test_a_later_process_continues_the_part_of_an_earlier_one(server, remote, tmp_path, body):
    server.script += [server.cut(1_000_000), *[server.answer(503)] * (web.ATTEMPTS - 1)]
    with pytest.raises(DemixError, match="run the same command again"):
        fetch(remote, tmp_path)
    assert (tmp_path / "a.zip.part").read_bytes() == body[:1_000_000]
    server.requests.clear()
    assert fetch(remote, tmp_path).read_bytes() == body
    assert server.requests == [("/a.zip", "bytes=1000000-")]


def test_a_part_that_was_complete_needs_no_further_request(server, remote, tmp_path, monkeypatch, body):
    with monkeypatch.context() as patch:
        patch.setattr("demix.data.fetch._verify", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch(remote, tmp_path)
    server.requests.clear()
    assert fetch(remote, tmp_path).read_bytes() == body
    assert server.requests == []


def test_a_file_that_changed_between_two_attempts_is_not_joined(server, tmp_path, body):
    new = np.random.default_rng(1).bytes(len(body))
    server.files["/a.zip"] = body
    remote = RemoteFile(server.url("/a.zip"), "a.zip")

    def change_and_serve(handler):
        server.files["/a.zip"] = new
        handler.serve()

    server.script += [server.cut(1_000_000), change_and_serve]
    assert fetch(remote, tmp_path).read_bytes() == new


@pytest.mark.parametrize("marks", [{}, {"ETag": 'W/"weak"'}], ids=["no-mark", "weak"])
def test_without_checksum_and_strong_mark_a_part_is_not_continued(server, tmp_path, marks, body):
    server.files["/a.zip"] = body
    server.script.append(server.answer(200, body[:1_000_000], Content_Length=len(body), **marks))
    assert fetch(RemoteFile(server.url("/a.zip"), "a.zip"), tmp_path).read_bytes() == body
    assert server.requests == [("/a.zip", None), ("/a.zip", None)]


def test_a_part_of_another_record_is_not_continued(server, remote, tmp_path, body):
    server.script += [server.cut(1_000_000), server.answer(404)]
    with pytest.raises(DemixError):
        fetch(replace(remote, checksum="md5:" + 32 * "0"), tmp_path)
    assert (tmp_path / "a.zip.part").stat().st_size == 1_000_000
    server.requests.clear()
    assert fetch(remote, tmp_path).read_bytes() == body
    assert server.requests == [("/a.zip", None)]


def test_a_part_that_has_grown_too_long_is_not_continued(server, remote, tmp_path, body):
    server.script += [server.cut(1_000_000), server.answer(404)]
    with pytest.raises(DemixError):
        fetch(remote, tmp_path)
    (tmp_path / "a.zip.part").write_bytes(body + b"more")
    server.requests.clear()
    assert fetch(remote, tmp_path).read_bytes() == body
    assert server.requests == [("/a.zip", None)]


def test_a_part_without_any_mark_of_its_origin_is_never_continued(server, tmp_path, monkeypatch, body):
    server.files["/a.zip"] = body
    remote = RemoteFile(server.url("/a.zip"), "a.zip")
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    with monkeypatch.context() as patch:  # killed after the passport is written, before the first byte is
        patch.setattr("demix.data.fetch._copy", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch(remote, tmp_path)
    assert fetch(remote, tmp_path).read_bytes() == body
    assert server.requests == [("/a.zip", None)] * 2
