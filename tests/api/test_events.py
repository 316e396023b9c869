"""Events of a separation: in order, resumable, and ended with it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx_sse


@contextmanager
def events(server: Any, job_id: str, last: str = "") -> Iterator[Iterator[httpx_sse.ServerSentEvent]]:
    headers = {"Last-Event-ID": last} if last else {}
    url = f"/api/v1/separations/{job_id}/events"
    with httpx_sse.connect_sse(server.http, "GET", url, headers=headers) as source:
        source.response.raise_for_status()
        yield source.iter_sse()


def test_a_separation_is_told_from_start_to_end(server: Any, song: Path) -> None:
    job = server.upload(song, models=["unet", "vit"]).json()
    with events(server, job["id"]) as stream:
        told = list(stream)
    statuses = [json.loads(each.data)["status"] for each in told if each.event == "status"]
    assert statuses[-1] == "done"
    assert sorted(statuses, key=["queued", "running", "done"].index) == statuses
    ids = [int(each.id) for each in told if each.id and each.event != "position"]
    assert ids == sorted(ids)
    shares = [json.loads(each.data)["progress"] for each in told if each.event == "progress"]
    assert shares == sorted(shares)
    assert json.loads(told[-1].data) == server.job(job["id"])


def test_who_comes_back_misses_nothing_and_hears_nothing_twice(server: Any, song: Path) -> None:
    job = server.upload(song, models=["unet", "vit"]).json()
    with events(server, job["id"]) as stream:
        first = next(stream)
    server.wait(job["id"])
    with events(server, job["id"], last=first.id) as stream:
        later = list(stream)
    assert all(int(each.id) > int(first.id or 0) for each in later)
    assert [json.loads(each.data)["status"] for each in later if each.event == "status"] == ["done"]
    with events(server, job["id"], last=later[-1].id) as stream:
        assert [json.loads(each.data)["status"] for each in stream] == ["done"], "a client must learn that it is over"


def test_the_queue_moves_up_and_a_deleted_job_is_gone(serve: Any, song: Path) -> None:
    server = serve(workers=0)
    first, second = (server.upload(song).json()["id"] for _ in range(2))

    def delete_one_by_one() -> None:
        time.sleep(1)
        server.http.delete(f"/api/v1/separations/{first}")
        time.sleep(1)
        server.http.delete(f"/api/v1/separations/{second}")

    thread = threading.Thread(target=delete_one_by_one)
    thread.start()
    with events(server, second) as stream:
        told = list(stream)
    thread.join()
    assert [json.loads(each.data)["position"] for each in told if each.event == "position"] == [2, 1]
    assert told[-1].event == "gone"


def test_streams_end_when_the_server_stops(serve: Any, song: Path) -> None:
    server = serve(workers=0)
    job = server.upload(song).json()
    with events(server, job["id"]) as stream:
        next(stream)
        server.process.terminate()
        list(stream)  # ends, without an error
    assert server.process.wait(10) == 0


def test_of_nothing_there_are_no_events(server: Any) -> None:
    answer = server.http.get("/api/v1/separations/nothing/events")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
