"""Two hundred uploads at once: none is lost, none is done twice, and memory stays where it is."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demix.api.job_table import JobTable

CLIENTS, UPLOADS_EACH = 20, 10
QUEUE = 100  # the default of DEMIX_QUEUE_LIMIT
PATIENCE_SECONDS = 600.0
SPARE_MIB = 200.0  # what 200 uploads may need beyond a song at work
Note = Callable[[str, object], None]
Ended = Callable[..., list[dict[str, Any]]]


@dataclass
class Answer:
    title: str
    status: int
    retry_after: str
    id: str
    seconds: float


async def upload_all(url: str, songs: list[bytes]) -> list[Answer]:
    """Upload from all clients at the same time; a connection for each upload, opened before."""
    start = asyncio.Event()

    async def upload(client: httpx.AsyncClient, name: str, song: bytes) -> Answer:
        await start.wait()
        began = time.monotonic()
        params = {"models": "unet", "format": "flac", "title": name}
        answer = await client.post("/api/v1/separations", params=params, content=song)
        found = answer.json()
        retry_after = answer.headers.get("Retry-After", "")
        return Answer(name, answer.status_code, retry_after, found.get("id", ""), time.monotonic() - began)

    limits = httpx.Limits(max_connections=UPLOADS_EACH)
    clients = [httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, limits=limits) for _ in range(CLIENTS)]
    try:
        await asyncio.gather(*(client.get("/healthz") for client in clients))
        names = [
            (client, f"{who:02d}-{index:02d}") for who, client in enumerate(clients) for index in range(UPLOADS_EACH)
        ]
        tasks = [
            asyncio.create_task(upload(client, name, songs[number % len(songs)]))
            for number, (client, name) in enumerate(names)
        ]
        start.set()
        return await asyncio.gather(*tasks)
    finally:
        for client in clients:
            await client.aclose()


@contextmanager
def watched(server: Any) -> Iterator[list[float]]:
    """Give the memory of the server and its children, measured again and again."""
    end, found = threading.Event(), [server.memory()]

    def measure() -> None:
        while not end.wait(0.2):
            found.append(server.memory())

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        thread.join()


def server_errors(server: Any) -> list[str]:
    text = server.http.get("/metrics").text
    return re.findall(r'^demix_requests_total\{.*status="5\d\d".*\} .*$', text, re.M)


def test_200_uploads_at_once(
    fleet: Any, short_songs: list[Path], ended: Ended, jobs_of: Callable[[Any], JobTable], note: Note
) -> None:
    server = fleet.serve(queue_limit=QUEUE)
    idle = server.memory()
    with watched(server) as one_song:
        ended(server, [server.create(short_songs[0])])
    songs = [path.read_bytes() for path in short_songs]
    with watched(server) as at_load:
        answers = asyncio.run(upload_all(str(server.http.base_url), songs))
        uploaded = len(at_load)
        accepted = [each for each in answers if each.status == 202]
        table = jobs_of(server)
        began = time.monotonic()
        fleet.wait(
            f"the end of {len(accepted)} songs",
            lambda: not {"uploading", "queued", "running"} & set(table.counts()),
            PATIENCE_SECONDS,
        )
    codes = Counter(each.status for each in answers)
    note("answers", ", ".join(f"{count} x {code}" for code, count in sorted(codes.items())))
    for code in sorted(codes):
        note(f"slowest answer {code}", f"{max(each.seconds for each in answers if each.status == code):.1f} s")
    note("all accepted songs ended after", f"{time.monotonic() - began:.0f} s")
    note("memory idle", f"{idle:.0f} MiB")
    note("memory with one song, at its peak", f"{max(one_song):.0f} MiB")
    note("memory during the uploads, at its peak", f"{max(at_load[: uploaded + 1]):.0f} MiB")
    note("memory after them, at its peak", f"{max(at_load[uploaded:]):.0f} MiB")
    note("memory idle again", f"{server.memory():.0f} MiB")

    assert set(codes) == {202, 429}, "nothing else, and no server error"
    assert codes[202] >= QUEUE
    assert sum(codes.values()) == CLIENTS * UPLOADS_EACH
    assert all(int(each.retry_after) > 0 for each in answers if each.status == 429)

    assert table.counts() == {"done": len(accepted) + 1}, "none is lost, none is there twice"
    jobs = [table.get(each.id) for each in accepted]
    table.close()
    assert len({each.id for each in accepted}) == len(accepted)
    assert [job.title for job in jobs if job is not None] == [each.title for each in accepted]
    assert {job.attempts for job in jobs if job is not None} == {1}
    ended(server, [each.id for each in accepted])
    assert {path.name for path in (server.data / "files").iterdir()} >= {each.id for each in accepted}
    assert not list((server.temp / "serve").iterdir())
    assert server_errors(server) == []
    assert "Traceback" not in server.log, server.log[-3000:]
    assert max(at_load) < max(one_song) + SPARE_MIB
    assert server.memory() < idle + SPARE_MIB


def test_who_is_sent_away_hears_why_although_its_song_is_large(fleet: Any, long_song: Path, note: Note) -> None:
    """An answer that comes before the song has gone up must not be lost with the connection."""
    server = fleet.serve(queue_limit=1, workers=0)
    server.create(long_song)
    content = long_song.read_bytes() * 3
    for _ in range(5):
        answer = server.http.post("/api/v1/separations", content=content)
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
    note("429 heard with an upload of", f"{len(content) / 1e6:.0f} MB")
    small = fleet.serve("small", upload_megabytes=1)
    for _ in range(5):
        answer = small.http.post("/api/v1/separations", content=content)
        assert answer.status_code == 413
        assert "1 MB" in answer.json()["detail"]
