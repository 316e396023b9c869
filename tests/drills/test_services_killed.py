"""`kill -9` of what the server works with: Redis in the middle of its queue, PostgreSQL in the middle of a song."""

import getpass
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STALE = {"stale_seconds": 3}
Note = Callable[[str, object], None]
Ended = Callable[..., list[dict[str, Any]]]
Middle = Callable[[Any, str], None]


@pytest.mark.usefixtures("needs_redis")
def test_redis_mid_queue(fleet: Any, short_songs: list[Path], ended: Ended, note: Note) -> None:
    """What Redis knew is lost: it keeps nothing on disk. What was accepted is in the job table."""
    redis, port = fleet.redis()
    shared = {"queue_url": f"redis://127.0.0.1:{port}/0", **STALE}
    server = fleet.serve(workers=0, rate_limit="1000/minute", request_limit="100000/minute", **shared)
    ids = [server.create(each) for each in short_songs]
    fleet.work("worker", data_dir=server.data, temp_dir=server.temp, **shared)
    fleet.wait("the first song's end", lambda: server.job(ids[0])["status"] == "done")
    redis.kill()
    killed = time.monotonic()
    ids += [server.create(each) for each in short_songs[:2]]
    note("two more accepted without Redis, in", f"{time.monotonic() - killed:.2f} s")
    ready = server.http.get("/readyz")
    assert ready.status_code == 503
    assert "queue" in ready.text
    fleet.redis(port)
    jobs = ended(server, ids)
    note(f"all {len(ids)} songs ended after", f"{time.monotonic() - killed:.1f} s")
    assert [job["status"] for job in jobs] == ["done"] * len(ids)
    assert server.http.get("/readyz").status_code == 200


@pytest.mark.usefixtures("needs_redis")
def test_redis_is_not_there_at_the_start(fleet: Any, short_songs: list[Path], ended: Ended) -> None:
    redis, port = fleet.redis()
    redis.kill()
    shared = {"queue_url": f"redis://127.0.0.1:{port}/0", **STALE}
    server = fleet.serve(workers=0, **shared)
    fleet.work("worker", data_dir=server.data, temp_dir=server.temp, **shared)
    ids = [server.create(each) for each in short_songs[:2]]
    fleet.redis(port)
    assert [job["status"] for job in ended(server, ids)] == ["done"] * 2


def test_postgresql_mid_song(
    fleet: Any,
    long_song: Path,
    short_songs: list[Path],
    start_postgres: Callable[[], tuple[Any, int]],
    ended: Ended,
    middle: Middle,
    note: Note,
) -> None:
    postgres, port = start_postgres()
    url = f"postgresql+psycopg://{getpass.getuser()}@127.0.0.1:{port}/postgres"
    server = fleet.serve(database_url=url, **STALE)
    ids = [server.create(each) for each in (long_song, *short_songs[:2])]
    middle(server, ids[0])
    postgres.kill()
    killed = time.monotonic()
    assert server.http.get("/readyz").status_code == 503
    assert server.http.get("/healthz").status_code == 200
    time.sleep(2)
    start_postgres()
    jobs = ended(server, ids)
    note("all three songs ended after", f"{time.monotonic() - killed:.1f} s")
    assert [job["status"] for job in jobs] == ["done"] * 3
