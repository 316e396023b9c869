"""The job table keeps its word in SQLite and in PostgreSQL, whoever else writes at the same time."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demix.api.job_table import JobTable
from demix.api.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, UPLOADING, Job, Order

AT_ONCE = 8
KEEP = 3600.0
ORDER = Order(title="song", models=("unet",), stems=("vocals",), kind="wav")
Open = Callable[[], JobTable]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Give a function that opens the same table once more, as another process would."""
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    tables: list[JobTable] = []

    def begin() -> JobTable:
        tables.append(JobTable(url))
        return tables[-1]

    yield begin
    for table in tables:
        table.close()


@pytest.fixture
def table(open_table: Open) -> JobTable:
    return open_table()


def queue(table: JobTable, count: int = 1) -> list[str]:
    jobs = [table.admit(ORDER, limit=1000) for _ in range(count)]
    ids = [job.id for job in jobs if job is not None]
    assert all(table.enqueue(each) for each in ids)
    return ids


def claim(table: JobTable, worker: str = "worker") -> Job:
    job = table.claim(worker)
    assert job is not None
    return job


def state(table: JobTable, job_id: str) -> str:
    job = table.get(job_id)
    assert job is not None
    return job.status


def silence(table: JobTable, attempts: int = 3) -> dict[str, list[str]]:
    """Sweep as if nobody had spoken for long."""
    return table.sweep(stale_seconds=-1, attempts=attempts, keep_seconds=KEEP)


def test_many_claimers_get_each_job_once(open_table: Open) -> None:
    ids = queue(open_table(), 40)

    def take(index: int) -> list[str]:
        table, mine = open_table(), []
        while (job := table.claim(f"worker-{index}")) is not None:
            assert job.worker == f"worker-{index}"
            mine.append(job.id)
        return mine

    with ThreadPoolExecutor(AT_ONCE) as pool:
        taken = [each for mine in pool.map(take, range(AT_ONCE)) for each in mine]
    assert Counter(taken) == Counter(ids)


def test_the_one_that_has_waited_longest_is_next(table: JobTable) -> None:
    ids = queue(table, 5)
    jobs = [table.get(each) for each in ids]
    assert [table.position(job) for job in jobs if job is not None] == [1, 2, 3, 4, 5]
    assert [claim(table).id for _ in ids] == ids


def test_no_more_are_admitted_than_may_wait(open_table: Open) -> None:
    table, limit = open_table(), 7
    queue(table, 2)
    claim(table)  # one that runs does not wait

    def ask(_: int) -> int:
        mine = open_table()
        return sum(mine.admit(ORDER, limit=limit) is not None for _ in range(5))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        admitted = sum(pool.map(ask, range(AT_ONCE)))
    assert admitted == limit - 1
    assert table.counts() == {RUNNING: 1, QUEUED: 1, UPLOADING: limit - 1}


def test_a_silent_job_is_handed_on_until_it_has_failed(table: JobTable) -> None:
    (job_id,) = queue(table)
    for attempt in (1, 2):
        assert claim(table).attempts == attempt
        assert silence(table, attempts=3)["requeued"] == [job_id]
        assert state(table, job_id) == QUEUED
    claim(table)
    assert silence(table, attempts=3)["failed"] == [job_id]
    job = table.get(job_id)
    assert job is not None
    assert job.status == FAILED
    assert job.error is not None
    assert "3 times" in job.error
    assert table.claim("another") is None


def test_a_job_that_beats_is_left_alone(table: JobTable) -> None:
    queue(table)
    job = claim(table)
    assert table.beat(job)
    assert not any(table.sweep(stale_seconds=30, attempts=1, keep_seconds=KEEP).values())


def test_two_sweepers_hand_a_job_on_once(open_table: Open) -> None:
    tables = [open_table() for _ in range(4)]
    queue(tables[0], 10)
    for _ in range(10):
        claim(tables[0])
    with ThreadPoolExecutor(4) as pool:
        handed_on = [job_id for done in pool.map(silence, tables) for job_id in done["requeued"]]
    assert len(handed_on) == len(set(handed_on)) == 10


def test_who_lost_a_job_cannot_change_it(table: JobTable) -> None:
    queue(table)
    loser = claim(table, "loser")
    silence(table)
    winner = claim(table, "winner")
    assert winner.id == loser.id
    assert not table.beat(loser)
    assert not table.progress(loser, share=0.9, remaining=1.0)
    assert not table.give_back(loser)
    assert not table.finish(loser, DONE, keep_seconds=KEEP)
    assert table.get(winner.id) == winner
    assert table.finish(winner, DONE, keep_seconds=KEEP)


def test_cancel_wins_over_finish(table: JobTable) -> None:
    (job_id,) = queue(table)
    job = claim(table)
    assert table.cancel(job_id, keep_seconds=KEEP)
    assert not table.beat(job)
    assert not table.finish(job, DONE, keep_seconds=KEEP)
    assert state(table, job_id) == CANCELLED
    assert not any(silence(table).values())


def test_of_cancel_and_finish_at_once_one_wins(open_table: Open) -> None:
    first, second = open_table(), open_table()
    for _ in range(10):
        (job_id,) = queue(first)
        job = claim(first)
        with ThreadPoolExecutor(2) as pool:
            finished = pool.submit(first.finish, job, DONE, keep_seconds=KEEP)
            cancelled = pool.submit(second.cancel, job_id, keep_seconds=KEEP)
        assert finished.result() != cancelled.result()
        assert state(first, job_id) == (DONE if finished.result() else CANCELLED)


def test_a_job_that_was_given_back_was_not_tried(table: JobTable) -> None:
    queue(table)
    for _ in range(5):
        job = claim(table)
        assert job.attempts == 1
        assert table.give_back(job)


def test_an_upload_that_went_silent_is_forgotten(table: JobTable) -> None:
    job = table.admit(ORDER, limit=1)
    assert job is not None
    assert table.admit(ORDER, limit=1) is None
    assert silence(table)["forgotten"] == [job.id]
    assert table.get(job.id) is None
    assert not table.enqueue(job.id)
    assert table.admit(ORDER, limit=1) is not None


def test_events_come_in_their_order_and_only_the_last_progress_is_kept(table: JobTable) -> None:
    (job_id,) = queue(table)
    job = claim(table)
    for step in range(5):
        assert table.progress(job, share=step / 5, remaining=None, model="unet", done_seconds=step)
    assert table.finish(job, DONE, keep_seconds=KEEP)
    events = table.events(job_id)
    assert [event.kind for event in events] == ["status", "status", "progress", "status"]
    assert events[2].data["progress"] == 0.8
    assert table.events(job_id, after=events[1].id) == events[2:]
    table.delete(job_id)
    assert table.events(job_id) == []


def test_what_is_over_is_told(table: JobTable) -> None:
    queue(table)
    job = claim(table)
    assert table.finish(job, DONE, keep_seconds=-1)
    time.sleep(0.01)
    assert table.expired() == [job.id]
