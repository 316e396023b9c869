"""Files of jobs in a folder and in an S3: the same whatever lies below."""

import errno
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from demix.api.store import Store

JOB, OTHER = "aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb"
CONTENT = bytes(range(256)) * 1000


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "store")
    for name, value in request.getfixturevalue("s3_environment").items():
        monkeypatch.setenv(name, value)
    return f"s3://demix/{tmp_path.name}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    found = Store(url)
    yield found
    for job_id in found.job_ids():
        found.remove(job_id)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def test_what_was_put_is_there(store: Store, file: Path, tmp_path: Path) -> None:
    assert not store.has(JOB, "unet/vocals.flac")
    store.put(JOB, "unet/vocals.flac", file)
    assert store.has(JOB, "unet/vocals.flac")
    assert store.size(JOB, "unet/vocals.flac") == len(CONTENT)
    store.fetch(JOB, "unet/vocals.flac", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == CONTENT
    assert not store.has(OTHER, "unet/vocals.flac")


def test_a_file_can_be_read_from_any_place(store: Store, file: Path) -> None:
    store.put(JOB, "song", file)
    with store.open(JOB, "song") as opened:
        opened.seek(70_001)
        assert opened.read(10) == CONTENT[70_001:70_011]
        opened.seek(5)
        assert opened.read() == CONTENT[5:]


def test_a_new_file_replaces_the_old(store: Store, file: Path, tmp_path: Path) -> None:
    store.put(JOB, "song", file)
    assert store.size(JOB, "song") == len(CONTENT)
    (tmp_path / "shorter").write_bytes(b"short")
    store.put(JOB, "song", tmp_path / "shorter")
    assert store.size(JOB, "song") == 5
    with store.open(JOB, "song") as opened:
        assert opened.read() == b"short"


def test_a_folder_is_stored_with_all_below(store: Store, tmp_path: Path) -> None:
    for name in ("unet/vocals.flac", "unet/masks/vocals/0.png", "spectrogram/geometry.json"):
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    store.put_folder(JOB, tmp_path / "out")
    with store.open(JOB, "unet/masks/vocals/0.png") as opened:
        assert opened.read() == b"unet/masks/vocals/0.png"
    assert store.job_ids() == {JOB}


def test_removing_takes_one_job_and_no_other(store: Store, file: Path, tmp_path: Path) -> None:
    (tmp_path / "another").write_bytes(b"another")
    store.put(JOB, "unet/vocals.flac", file)
    store.put(OTHER, "unet/vocals.flac", tmp_path / "another")
    assert store.job_ids() == {JOB, OTHER}
    store.remove(JOB)
    assert store.job_ids() == {OTHER}
    assert not store.has(JOB, "unet/vocals.flac")
    assert store.has(OTHER, "unet/vocals.flac")


def test_what_is_not_there_is_no_surprise(store: Store, tmp_path: Path) -> None:
    assert store.job_ids() == set()
    store.remove(JOB)
    store.remove_file(JOB, "input")
    with pytest.raises(FileNotFoundError):
        store.size(JOB, "input")
    with pytest.raises(FileNotFoundError):
        store.open(JOB, "input").read(1)
    with pytest.raises(FileNotFoundError):
        store.fetch(JOB, "input", tmp_path / "fetched")


def test_one_file_of_a_job_can_go(store: Store, file: Path, tmp_path: Path) -> None:
    (tmp_path / "another").write_bytes(b"another")
    store.put(JOB, "input", file)
    store.put(JOB, "unet/vocals.flac", tmp_path / "another")
    store.remove_file(JOB, "input")
    assert not store.has(JOB, "input")
    assert store.has(JOB, "unet/vocals.flac")


def test_what_another_machine_does_is_seen(store: Store, url: str, file: Path, tmp_path: Path) -> None:
    (tmp_path / "shorter").write_bytes(b"short")
    fsspec.core.url_to_fs(url)[0].clear_instance_cache()  # else both would share what they remember
    other = Store(url)
    assert not store.has(JOB, "input")
    assert store.job_ids() == set()
    other.put(JOB, "input", file)
    assert store.has(JOB, "input")
    assert store.job_ids() == {JOB}
    assert store.size(JOB, "input") == len(CONTENT)
    other.put(JOB, "input", tmp_path / "shorter")
    assert store.size(JOB, "input") == 5
    other.remove(JOB)
    assert not store.has(JOB, "input")
    assert store.job_ids() == set()


def test_it_can_be_written_to(store: Store) -> None:
    store.ping()
    assert store.job_ids() == set()


@pytest.mark.parametrize(
    ("job", "name"),
    [("..", "x"), ("../escape", "x"), ("", "x"), ("a/b", "x"), (JOB, "../x"), (JOB, "a/../../x"), (JOB, "/etc/passwd")],
)
def test_nothing_leads_out_of_its_root(store: Store, file: Path, tmp_path: Path, job: str, name: str) -> None:
    before = set(tmp_path.iterdir())
    store.remove_file(job, name)  # as if there were none
    for call in (store.open, store.size, store.has):
        with pytest.raises(FileNotFoundError):
            call(job, name)
    with pytest.raises(FileNotFoundError):
        store.put(job, name, file)
    with pytest.raises(FileNotFoundError):
        store.fetch(job, name, tmp_path / "stolen")
    assert set(tmp_path.iterdir()) == before


def test_of_a_folder_all_is_stored_or_nothing(
    store: Store, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what was stored before a disk was full would keep it full."""
    store.put(OTHER, "input", file)
    for name in ("a", "b", "c"):
        (tmp_path / "out" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    put = store.put

    def put_but_the_last(job_id: str, name: str, path: Path) -> None:
        if name == "c":
            raise OSError(errno.ENOSPC, "no space left")
        put(job_id, name, path)

    monkeypatch.setattr(store, "put", put_but_the_last)
    with pytest.raises(OSError, match="no space"):
        store.put_folder(JOB, tmp_path / "out")
    assert not any(store.has(JOB, name) for name in ("a", "b", "c"))
    assert store.has(OTHER, "input")
