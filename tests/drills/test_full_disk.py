"""A disk that fills up: the client is told so, and never gets half a result."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DISK_MEGABYTES = 300
BLOCK_BYTES = 4096
Note = Callable[[str, object], None]
Middle = Callable[[Any, str], None]
Ended = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a small disk, as root may: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def ballast(small_disk: Path) -> Callable[[float], Path]:
    """Give a function that fills the disk but for so many megabytes."""

    def fill(free: float) -> Path:
        path = small_disk / "ballast"
        path.unlink(missing_ok=True)
        size, more = 0, int(shutil.disk_usage(small_disk).free - free * 1e6)
        with path.open("wb") as file:
            while more >= BLOCK_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), size, more)
                    size += more
                except OSError:  # another has written meanwhile
                    more //= 2
                else:
                    more = int(shutil.disk_usage(small_disk).free - free * 1e6)
        return path

    return fill


def post(server: Any, song: Path) -> tuple[int, str]:
    answer = server.http.post("/api/v1/separations", content=song.read_bytes(), params={"format": "flac"})
    return answer.status_code, answer.json()["detail"] if answer.is_error else answer.json()["id"]


def test_uploads_do_not_fit(
    fleet: Any, small_disk: Path, ballast: Callable[[float], Path], long_song: Path, short_songs: list[Path], note: Note
) -> None:
    server = fleet.serve(temp_dir=small_disk / "temp")
    filled = ballast(1.0)
    status, detail = post(server, long_song)
    note("answer", f"{status}: {detail}")
    assert status == 507
    assert "disk" in detail
    assert not server.temp_files()
    filled.unlink()
    assert post(server, short_songs[0])[0] == 202


def test_stems_do_not_fit(
    fleet: Any,
    small_disk: Path,
    ballast: Callable[[float], Path],
    long_song: Path,
    short_songs: list[Path],
    ended: Ended,
    note: Note,
) -> None:
    server = fleet.serve(temp_dir=small_disk / "temp")
    ballast(100.0)
    ids = [server.create(each) for each in (long_song, short_songs[0])]
    failed, done = ended(server, ids)
    note("the song's error", failed["error"])
    assert failed["status"] == "failed"
    assert "disk" in failed["error"], "it is not the song's fault"
    assert not list((server.data / "files" / ids[0]).rglob("*"))
    assert done["status"] == "done", f"a song that fits is not harmed: {done}"
    assert not server.temp_files()


def test_disk_fills_up_mid_song(
    fleet: Any,
    small_disk: Path,
    ballast: Callable[[float], Path],
    excerpt: Callable[..., Path],
    ended: Ended,
    middle: Middle,
    note: Note,
) -> None:
    server = fleet.serve(temp_dir=small_disk / "temp")
    song = excerpt("lithium", "potassium", seconds=40, start=10)
    job_id = server.create(song)
    middle(server, job_id)
    filled = ballast(0.0)
    (job,) = ended(server, [job_id])
    note("the song's error", job["error"])
    assert job["status"] == "failed"
    assert "disk" in job["error"], "it is not the song's fault"
    assert not server.temp_files()
    filled.unlink()
    assert [job["status"] for job in ended(server, [server.create(song)])] == ["done"]


def test_nothing_can_be_stored(
    fleet: Any,
    small_disk: Path,
    ballast: Callable[[float], Path],
    long_song: Path,
    short_songs: list[Path],
    ended: Ended,
    note: Note,
) -> None:
    """Files and job table lie on a full disk, temporary files on another."""
    server = fleet.serve(data_dir=small_disk / "data", stale_seconds=3)
    filled = ballast(3.0)
    status, detail = post(server, long_song)
    note("answer to what cannot be stored", f"{status}: {detail}")
    assert status == 507
    assert not list((small_disk / "data" / "files").rglob("*/*"))
    tight = server.create(short_songs[0])
    ballast(0.3)  # its stems will not fit
    (job,) = ended(server, [tight])
    note("a song whose stems cannot be stored", f"{job['status']}: {job['error']}")
    ballast(0.0)
    status, detail = post(server, short_songs[1])
    note("answer with no byte free", f"{status}: {detail}")
    assert status == 507
    filled.unlink()
    assert [job["status"] for job in ended(server, [server.create(short_songs[1])])] == ["done"]
