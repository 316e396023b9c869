"""Two workers share a queue in Redis: the work goes twice as fast where there is a core for each."""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demix.api.job_table import JobTable

SONGS_EACH = 7
SECONDS = 10.0
Note = Callable[[str, object], None]
Measure = Callable[..., float]


@pytest.fixture
def songs(excerpt: Callable[..., Path]) -> list[Path]:
    """Songs of the same length, so that no worker has more to do."""
    return [excerpt(name, seconds=SECONDS, start=start) for name in ("lithium", "potassium") for start in (10.0, 30.0)]


@pytest.fixture
def rate(needs_redis: None, fleet: Any, songs: list[Path], jobs_of: Callable[[Any], JobTable]) -> Iterator[Measure]:
    """Give a function that lets workers empty a queue and returns how many songs a minute they do together."""
    _, port = fleet.redis()
    shared: dict[str, object] = {"queue_url": f"redis://127.0.0.1:{port}/0", "queue_limit": 1000}
    server = fleet.serve(workers=0, **shared)
    shared |= {"data_dir": server.data, "temp_dir": server.temp}
    table = jobs_of(server)

    def measure(*cores: str) -> float:
        count = SONGS_EACH * len(cores)
        ids = [server.create(songs[index % len(songs)]) for index in range(count)]
        workers = []
        for index, core in enumerate(cores):
            prefix = ("taskset", "-c", core) if core else ()
            workers += fleet.work(f"worker-{core or 'any'}-{index}", prefix=prefix, **shared)
        fleet.wait(f"the end of {count} songs", lambda: set(table.counts()) == {"done"}, 300)
        ends: dict[str, list[float]] = defaultdict(list)
        for job in (table.get(each) for each in ids):
            assert job is not None
            assert job.finished is not None
            assert job.attempts == 1
            ends[job.worker.rsplit("-", 1)[0]].append(job.finished)
        for worker in workers:
            worker.kill(15)
        assert len(ends) == len(cores), "every worker has had its share"
        last = min(max(each) for each in ends.values())  # later not all are at work
        within = [sorted(end for end in each if end <= last) for each in ends.values()]
        return sum(60 * (len(each) - 1) / (each[-1] - each[0]) for each in within)

    yield measure
    table.close()


def test_two_workers_share_a_queue(rate: Measure, note: Note) -> None:
    if shutil.which("taskset") is None or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs taskset and two cores")
    first, second = (str(core) for core in sorted(os.sched_getaffinity(0))[:2])
    free_one, free_two = rate(""), rate("", "")
    note("one worker on all cores", f"{free_one:.1f} songs of {SECONDS:g} s a minute")
    note("two workers on all cores", f"{free_two:.1f}, {free_two / free_one:.2f} times as many")
    one, two, again = rate(first), rate(first, second), rate(second)
    ratio = 2 * two / (one + again)
    note("one worker on one core", f"{one:.1f} on core {first}, {again:.1f} on core {second}")
    note("two workers on a core each", f"{two:.1f}, {ratio:.2f} times as many")
    assert two > max(one, again), "the second worker is of no use"  # how much of one, the figure says
