"""Whole data sets: from a record on a server to a folder of songs, or to one sentence that says why not."""

import hashlib
import io
import json
import shutil
import zipfile
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest

from demix.data import DATASETS
from demix.data.download import SOURCES, Source, download
from demix.data.events import Event
from demix.data.room import SPARE_BYTES
from demix.errors import DemixError

SONGS = {
    "train/A - Ä.stem.mp4": np.random.default_rng(0).bytes(40_000),
    "train/B - B.stem.mp4": b"b" * 40_000,
    "test/C - C.stem.mp4": np.random.default_rng(1).bytes(20_000),
}
Usage = namedtuple("Usage", "total used free")


def make_zip(songs):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, body in songs.items():
            file.writestr(name, body)
    return buffer.getvalue()


def make_record(server, body, **changes):
    """Describe a file as Zenodo does (zenodo-rdm, legacy/serializers/schemas/zenodojson.py)."""
    entry = {
        "id": "dde55dff-ad41-4079-9d9d-688a86e78ec9",
        "key": "set.zip",
        "size": len(body),
        "checksum": "md5:" + hashlib.md5(body, usedforsecurity=False).hexdigest(),
        "links": {"self": server.url("/api/records/1/files/set.zip/content")},
    }
    metadata = {"access_right": "open", "license": {"id": "other-nc"}}
    return json.dumps({"id": 1, "metadata": metadata, "files": [entry | changes]}).encode()


@pytest.fixture
def sources(server):
    body = make_zip(SONGS)
    server.files["/api/records/1"] = make_record(server, body)
    server.files["/api/records/1/files/set.zip/content"] = server.files["/plain.zip"] = body
    source = Source("set.zip", server.url("/api/records/1"), "not for sale", len(SONGS), 1.05)
    return {
        "record": source,
        "plain": replace(source, url=server.url("/plain.zip"), has_record=False),
    }


def read_tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["record", "plain"])
def test_a_set_arrives_whole_and_leaves_nothing_else(sources, tmp_path, name):
    events: list[Event] = []
    folder = download(name, tmp_path, sources=sources, on_event=events.append)
    assert folder == tmp_path / "raw" / name
    assert read_tree(tmp_path) == {f"raw/{name}/{song}": body for song, body in SONGS.items()}
    assert events[0] == Event("licence", text=f"{name}: not for sale")
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["licence", "download", *(["check"] if name == "record" else []), "unpack"]


def test_a_set_that_is_there_costs_no_request(server, sources, tmp_path):
    download("record", tmp_path, sources=sources)
    server.requests.clear()
    events: list[Event] = []
    download("record", tmp_path, sources=sources, on_event=events.append)
    assert server.requests == []
    assert [event.stage for event in events] == ["licence", "present"]


def test_a_half_set_that_is_there_is_not_taken_for_a_whole_one(sources, tmp_path):
    folder = download("record", tmp_path, sources=sources)
    (folder / "train" / "B - B.stem.mp4").unlink()
    with pytest.raises(DemixError, match=r"expected 3 songs in train/ and test/, found 2; move the folder away"):
        download("record", tmp_path, sources=sources)


def test_wav_folders_count_as_songs(server, tmp_path):
    songs = {f"{song}/{stem}.wav": b"RIFF" for song in ("train/A", "test/B") for stem in ("mixture", "drums")}
    server.files["/hq.zip"] = make_zip(songs)
    sources = {"hq": Source("hq.zip", server.url("/hq.zip"), "terms", 2, 1.5, has_record=False)}
    assert read_tree(download("hq", tmp_path, sources=sources)) == songs


@pytest.mark.parametrize("name", ["record", "plain"])
def test_an_interrupted_download_goes_on_in_the_next_call(server, sources, tmp_path, name):
    def interrupt(event: Event) -> None:
        if event.stage == "download" and event.done:
            raise KeyboardInterrupt

    before = 1 if name == "record" else 0
    server.script += [lambda handler: handler.serve()] * before + [lambda handler: handler.serve(upto=30_000)]
    with pytest.raises(KeyboardInterrupt):
        download(name, tmp_path, sources=sources, on_event=interrupt)
    assert not (tmp_path / "raw").exists()
    have = (tmp_path / "temp" / "set.zip.part").stat().st_size
    server.requests.clear()
    assert read_tree(download(name, tmp_path, sources=sources)) == SONGS
    assert server.requests[-1][1] == f"bytes={have}-"


def test_an_interruption_while_unpacking_leaves_the_archive_and_no_songs(server, sources, tmp_path):
    def interrupt(event: Event) -> None:
        if event.stage == "unpack":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download("record", tmp_path, sources=sources, on_event=interrupt)
    assert list(read_tree(tmp_path)) == ["temp/set.zip"]
    server.requests.clear()
    assert read_tree(download("record", tmp_path, sources=sources)) == SONGS
    assert [path for path, _ in server.requests] == ["/api/records/1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checksum": "md5:" + 32 * "0"}, "expected md5 0000"),
        ({"size": 1}, "expected 1 bytes as its record says"),
        ({"size": 10**9}, "expected 1000000000 bytes as its record says"),
        ({"key": "other.zip"}, r"expected a record with the file set\.zip, received one with other\.zip"),
        ({"links": {}}, "received a record of another form"),
        ({"size": "many"}, "received a record of another form"),
        ({"links": {"self": "file:///etc/passwd"}}, "starts with https"),
    ],
)
def test_a_file_that_is_not_what_the_record_says_leaves_no_set(server, sources, tmp_path, changes, message):
    body = server.files["/plain.zip"]
    server.files["/api/records/1"] = make_record(server, body, **changes)
    with pytest.raises(DemixError, match=message):
        download("record", tmp_path, sources=sources)
    assert read_tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"<html>maintenance</html>", "expected JSON"),
        (b"[]", "expected a JSON object"),
        (b"{}", "no open file"),
        (b'{"files": []}', "no open file"),
        (b'{"files": {"entries": {}}}', "another form"),
    ],
)
def test_a_record_of_another_form_is_one_sentence(server, sources, tmp_path, record, message):
    server.files["/api/records/1"] = record
    with pytest.raises(DemixError, match=message):
        download("record", tmp_path, sources=sources)


def test_a_damaged_archive_without_checksum_is_removed_and_fetched_anew(server, sources, tmp_path):
    good = server.files["/plain.zip"]
    server.files["/plain.zip"] = good[:60] + b"?" + good[61:]
    with pytest.raises(DemixError, match="expected a whole zip archive"):
        download("plain", tmp_path, sources=sources)
    assert read_tree(tmp_path) == {}
    server.files["/plain.zip"] = good
    assert read_tree(download("plain", tmp_path, sources=sources)) == SONGS


@pytest.mark.parametrize("body", [b"<html>log in first</html>", make_zip(SONGS)[:-5], b""])
def test_what_is_no_zip_leaves_no_set(server, sources, tmp_path, body):
    server.files["/plain.zip"] = body
    with pytest.raises(DemixError, match="expected a whole zip archive"):
        download("plain", tmp_path, sources=sources)
    assert read_tree(tmp_path) == {}


def test_a_good_archive_with_too_few_songs_is_not_the_set(server, sources, tmp_path):
    server.files["/plain.zip"] = make_zip(dict(list(SONGS.items())[:2]))
    with pytest.raises(DemixError, match="expected 3 songs in train/ and test/, received 2"):
        download("plain", tmp_path, sources=sources)
    assert read_tree(tmp_path) == {}


def test_the_disk_must_take_the_archive_and_the_songs_before_a_byte_is_loaded(server, sources, tmp_path, monkeypatch):
    size = len(server.files["/plain.zip"])
    needed = size + int(size * 1.05) + SPARE_BYTES
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(needed, 1, needed - 1))
    with pytest.raises(DemixError, match="of free disk"):
        download("plain", tmp_path, sources=sources)
    assert read_tree(tmp_path) == {}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(needed, 0, needed))
    assert read_tree(download("plain", tmp_path, sources=sources)) == SONGS


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(DemixError, match="musdb18, musdb18hq, musdb18-7s"):
        download("musdb19", tmp_path)


def test_the_sources_are_the_published_ones():
    assert SOURCES["musdb18"].url.endswith("/api/records/1117372")
    assert SOURCES["musdb18hq"].url.endswith("/api/records/3338373")
    assert SOURCES["musdb18-7s"].url.endswith("sigsep-mus-db/releases/download/v0.4.0/MUSDB18-7-STEMS.zip")
    assert all(source.url.startswith("https://") for source in SOURCES.values())
    assert all("educational purposes only" in source.licence for source in SOURCES.values())


def test_a_downloaded_set_is_found_under_its_name():
    assert set(SOURCES) <= set(DATASETS)
