"""`kill -9` of whatever can be killed: every song that was accepted ends, done or failed with a reason; none hangs."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demix.api.job_table import JobTable

STALE = {"stale_seconds": 3}
GONE_SECONDS = 2.0
Note = Callable[[str, object], None]
Ended = Callable[..., list[dict[str, Any]]]
Middle = Callable[[Any, str], None]
Jobs = Callable[[Any], JobTable]


def attempts(table: JobTable, ids: list[str]) -> list[int]:
    jobs = [table.get(each) for each in ids]
    table.close()
    return [job.attempts for job in jobs if job is not None]


@pytest.mark.usefixtures("needs_redis")
def test_worker_mid_song(
    fleet: Any, long_song: Path, short_songs: list[Path], ended: Ended, middle: Middle, jobs_of: Jobs, note: Note
) -> None:
    _, port = fleet.redis()
    server = fleet.serve(workers=0, queue_url=f"redis://127.0.0.1:{port}/0", **STALE)
    shared = {"queue_url": f"redis://127.0.0.1:{port}/0", "data_dir": server.data, "temp_dir": server.temp}
    (worker,) = fleet.work("first", **shared, **STALE)
    ids = [server.create(each) for each in (long_song, *short_songs[:3])]
    middle(server, ids[0])
    worker.kill()
    killed = time.monotonic()
    fleet.wait("the end of its child", lambda: not worker.members(), GONE_SECONDS)
    note("child of the killed worker gone after", f"{time.monotonic() - killed:.2f} s")
    fleet.work("second", **shared, **STALE)
    jobs = ended(server, ids)
    note("all four songs ended after", f"{time.monotonic() - killed:.1f} s")
    assert [job["status"] for job in jobs] == ["done"] * 4
    assert attempts(jobs_of(server), ids) == [2, 1, 1, 1]


def test_server_mid_song(
    fleet: Any, long_song: Path, short_songs: list[Path], ended: Ended, middle: Middle, jobs_of: Jobs, note: Note
) -> None:
    server = fleet.serve(**STALE)
    ids = [server.create(each) for each in (long_song, *short_songs[:2])]
    middle(server, ids[0])
    server.kill()
    killed = time.monotonic()
    fleet.wait("the end of its children", lambda: not server.members(), GONE_SECONDS)
    note("children of the killed server gone after", f"{time.monotonic() - killed:.2f} s")
    again = fleet.serve(**STALE)
    assert [job["status"] for job in ended(again, ids)] == ["done"] * 3
    note("all three songs ended after", f"{time.monotonic() - killed:.1f} s")
    assert attempts(jobs_of(again), ids) == [2, 1, 1]


def test_server_stopped_by_sigterm_mid_song(
    fleet: Any, long_song: Path, short_songs: list[Path], ended: Ended, middle: Middle, jobs_of: Jobs, note: Note
) -> None:
    server = fleet.serve()
    ids = [server.create(each) for each in (long_song, *short_songs[:2])]
    middle(server, ids[0])
    stopped = time.monotonic()
    server.kill(signal.SIGTERM)
    note("server ended after", f"{time.monotonic() - stopped:.2f} s")
    fleet.wait("the end of its children", lambda: not server.members(), GONE_SECONDS)
    assert not server.temp_files()
    again = fleet.serve()
    assert [job["status"] for job in ended(again, ids)] == ["done"] * 3
    assert attempts(jobs_of(again), ids) == [1, 1, 1], "a song that was given back was not tried"


def test_server_mid_upload(fleet: Any, long_song: Path, ended: Ended, jobs_of: Jobs, note: Note) -> None:
    server = fleet.serve(**STALE)
    half = threading.Event()
    content = long_song.read_bytes()

    def slowly() -> Iterator[bytes]:
        yield content[: len(content) // 2]
        half.set()
        time.sleep(30)  # the server is gone long before

    def upload() -> None:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{server.http.base_url}/api/v1/separations", content=slowly(), timeout=5)

    thread = threading.Thread(target=upload, daemon=True)
    thread.start()
    assert half.wait(10)
    fleet.wait("half of the upload", lambda: sum(path.stat().st_size for path in server.temp_files()) > 0)
    table = jobs_of(server)
    assert table.counts() == {"uploading": 1}
    server.kill()
    killed = time.monotonic()
    again = fleet.serve(**STALE)
    fleet.wait("the half upload to be forgotten", lambda: not table.counts(), 20)
    note("half upload forgotten after", f"{time.monotonic() - killed:.1f} s")
    table.close()
    assert [job["status"] for job in ended(again, [again.create(long_song)])] == ["done"]


def test_process_that_holds_the_song(
    fleet: Any, long_song: Path, short_songs: list[Path], ended: Ended, middle: Middle, note: Note
) -> None:
    server = fleet.serve(**STALE)
    ids = [server.create(each) for each in (long_song, *short_songs[:2])]
    middle(server, ids[0])
    (holder,) = server.at_work()
    os.kill(holder, signal.SIGKILL)
    jobs = ended(server, ids)
    assert [job["status"] for job in jobs] == ["failed", "done", "done"]
    assert "signal 9" in jobs[0]["error"]
    note("the song's error", jobs[0]["error"])
    assert not server.temp_files()


@pytest.mark.usefixtures("needs_redis")
def test_worker_again_and_again(
    fleet: Any, long_song: Path, ended: Ended, middle: Middle, jobs_of: Jobs, note: Note
) -> None:
    """A song that ends every worker must not end all of them for ever."""
    _, port = fleet.redis()
    server = fleet.serve(workers=0, queue_url=f"redis://127.0.0.1:{port}/0", stale_seconds=2, attempts=2)
    shared = {"queue_url": f"redis://127.0.0.1:{port}/0", "data_dir": server.data, "temp_dir": server.temp}
    job_id = server.create(long_song)
    for attempt in (1, 2):
        (worker,) = fleet.work(f"worker-{attempt}", stale_seconds=2, attempts=2, **shared)
        fleet.wait("the song to be taken", lambda n=attempt: attempts(jobs_of(server), [job_id]) == [n])
        middle(server, job_id)
        worker.kill()
    (job,) = ended(server, [job_id])
    assert job["status"] == "failed"
    assert "2 times" in job["error"]
    note("the song's error", job["error"])
