"""Measure `demix serve`: what a request costs, songs a minute beside `demix separate`, two workers beside one, memory.

    python benchmarks/serve.py [--parts requests songs workers memory] [--rounds 3] [--songs 6] [--seconds 60]

Songs are excerpts of those in songs/, as flac; stems are flac in both, made by the U-Net. What is compared runs in
turn, in the same run. Prints a Markdown table. Needs Linux, and for the workers redis-server and taskset.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from serve_processes import Server, memory, redis, serving, song_parts, watched, working

SONGS = Path(__file__).parents[1] / "songs"
NAMES = ("lithium", "potassium", "rubidium", "caesium", "francium", "hydrogen")
MINUTES_OF_UPLOAD = 4
STATUS_REQUESTS, UPLOADS, STARTS = 300, 20, 10
WORKER_SONG_SECONDS, BOUND_SECONDS = 10.0, 60.0
Row = tuple[str, str]


def write_song(path: Path, names: Sequence[str], seconds: float, *, start: float = 5.0) -> Path:
    """Write so many seconds of music, as much of each song as it takes, over and over."""
    rate, pieces, left, index = 44_100, [], round(seconds * 44_100), 0
    while left > 0:
        stems = [soundfile.read(each, dtype="float32")[0] for each in (SONGS / names[index % len(names)]).glob("*.ogg")]
        pieces.append(np.sum(stems, axis=0)[round(start * rate) :][:left] / 2)
        left, index = left - len(pieces[-1]), index + 1
    soundfile.write(path, np.concatenate(pieces), rate)
    return path


def shown(seconds: Sequence[float]) -> str:
    """Return median and 95th percentile in milliseconds."""
    return f"median {1e3 * statistics.median(seconds):.1f} ms, p95 {1e3 * float(np.percentile(seconds, 95)):.1f} ms"


def clocked(call: Callable[[], object], times: int) -> list[float]:
    """Return the wall clock of each of several calls, after one that is not counted."""
    call()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found


def measure_requests(folder: Path) -> list[Row]:
    """Measure what a request costs when the server has nothing else to do, and how soon it starts on a song."""
    upload = write_song(folder / "upload.mp3", NAMES, MINUTES_OF_UPLOAD * 60)
    short = write_song(folder / "short.flac", NAMES, WORKER_SONG_SECONDS)
    rows: list[Row] = []
    with serving(folder / "requests", workers=0) as server:
        job_id = server.create(upload)
        rows.append(
            ("GET status", shown(clocked(lambda: server.http.get(f"/api/v1/separations/{job_id}"), STATUS_REQUESTS)))
        )
        posts = clocked(lambda: server.create(upload), UPLOADS)
        rows.append((f"POST of {upload.stat().st_size / 1e6:.1f} MB of mp3, until 202", shown(posts)))
    with serving(folder / "starts", workers=1) as server:
        waits = []
        for _ in range(STARTS):
            (job,) = server.wait([server.create(short)])
            waits.append((job.started or 0) - (job.queued or 0))
            time.sleep(1)
        rows.append(("from 202 to the start of work, idle server", shown(waits)))
    return rows


def measure_songs(folder: Path, *, songs: int, seconds: float, rounds: int) -> list[Row]:
    """Measure songs a minute through a queue that is always full, and with `demix separate`, in turn."""
    paths = [write_song(folder / f"song-{index}.flac", NAMES[index % 6 :], seconds) for index in range(songs)]
    cores = len(os.sched_getaffinity(0))
    served, commanded, gaps = list[float](), list[float](), list[float]()
    parts: list[list[float]] = []
    with serving(folder / "songs", workers=1) as server:
        server.wait([server.create(paths[0])])
        for _ in range(rounds):
            command = ["demix", "separate", "--force", "--flac", "--out", str(folder / "separated")]
            commanded += clocked_once([sys.executable, "-m", *command, *map(str, paths)])
            jobs = server.wait([server.create(path) for path in paths])
            spans = sorted((job.started or 0, job.finished or 0) for job in jobs)
            served.append(spans[-1][1] - spans[0][0])
            gaps += [after[0] - before[1] for before, after in pairwise(spans)]
            parts += song_parts(paths[0], folder / "parts", [None])
    ratios = [command / serve for command, serve in zip(commanded, served, strict=True)]
    whole, load, separate, views = (statistics.median(column) for column in zip(*parts, strict=True))
    each, gap = statistics.median(served) / songs, statistics.median(gaps)
    return [
        (f"songs of {seconds:g} s a minute and core, served", f"{60 * songs / statistics.median(served) / cores:.2f}"),
        ("the same by `demix separate`", f"{60 * songs / statistics.median(commanded) / cores:.2f}"),
        ("served / `demix separate`, pair by pair", ", ".join(f"{ratio:.2f}" for ratio in ratios)),
        ("a song served", f"{each:.2f} s: " + ", ".join([
            f"separate {separate:.2f}", f"views {views:.2f}", f"load the net {load:.2f}",
            f"rest of its process {whole - load - separate - views:.2f}",
            f"fork, files and job table {each - gap - whole:.2f}", f"until the next is taken {gap:.2f}",
        ])),
    ]  # fmt: skip


def clocked_once(command: list[str]) -> list[float]:
    """Run a command; return its wall clock."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return [time.perf_counter() - began]


def measure_workers(folder: Path, *, rounds: int) -> list[Row]:
    """Measure two workers on one queue beside one: on all cores, and on a core each, as two machines would be."""
    paths = [write_song(folder / f"work-{index}.flac", NAMES[index:], WORKER_SONG_SECONDS) for index in range(6)]
    first, second = sorted(os.sched_getaffinity(0))[:2]
    cases: dict[str, list[int | None]] = {
        "one worker, all cores": [None],
        "two workers, all cores": [None, None],
        f"one worker, core {first}": [first],
        f"two workers, cores {first} and {second}": [first, second],
        f"one worker, core {second}": [second],
    }
    found: dict[str, list[float]] = defaultdict(list)
    bare: list[float] = []
    with redis(folder) as url, serving(folder / "workers", workers=0, queue_url=url) as server:
        for _ in range(rounds):
            for name, cores in cases.items():
                found[name].append(_rate(server, folder / "workers", paths, cores, url))
            bare.append(_bound(folder, (first, second)))
    all_one, all_two, one, two, other = found.values()
    free = [b / a for a, b in zip(all_one, all_two, strict=True)]
    pinned = [2 * b / (a + c) for a, b, c in zip(one, two, other, strict=True)]
    rows = [
        (f"{name}: songs of {WORKER_SONG_SECONDS:g} s a minute", listed(values, 1)) for name, values in found.items()
    ]
    rows += [("two / one, all cores", listed(free, 2)), ("two / one, a core each", listed(pinned, 2))]
    return [*rows, ("the bound: two / one, a core each, with no server, Redis, queue and table", listed(bare, 2))]


def _bound(folder: Path, cores: tuple[int, int]) -> float:
    """Return how much faster two processes are that have nothing in common but the machine."""
    song = write_song(folder / "bound.flac", NAMES, BOUND_SECONDS)
    (one,), two, (other,) = (song_parts(song, folder / "bound", each) for each in (cores[:1], cores, cores[1:]))
    return (one[0] + other[0]) / 2 * sum(1 / each[0] for each in two)


def listed(values: Sequence[float], digits: int) -> str:
    """Return all values in a line."""
    return ", ".join(f"{value:.{digits}f}" for value in values)


def _rate(server: Server, folder: Path, paths: Sequence[Path], cores: Sequence[int | None], url: str) -> float:
    """Return songs a minute while all workers are at work."""
    ids = [server.create(path) for path in [*paths, *paths, *paths][: 7 * len(cores)]]
    with ExitStack() as stack:
        for core in cores:
            stack.enter_context(working(folder, core, queue_url=url))
        jobs = server.wait(ids)
    ends: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        ends[job.worker.rsplit("-", 1)[0]].append(job.finished or 0)
    last = min(max(each) for each in ends.values())
    within = [sorted(end for end in each if end <= last) for each in ends.values()]
    return sum(60 * (len(each) - 1) / (each[-1] - each[0]) for each in within)


def measure_memory(folder: Path) -> list[Row]:
    """Measure the memory of the server and its children."""
    rows: list[Row] = []
    song = write_song(folder / "memory.mp3", NAMES, MINUTES_OF_UPLOAD * 60)
    with serving(folder / "memory", workers=1) as server:
        rows.append(("memory, idle", f"{memory(server.process):.0f} MiB"))
        with watched(server.process) as found:
            server.wait([server.create(song)])
        rows.append((f"memory, {MINUTES_OF_UPLOAD} minutes of music at work, peak", f"{max(found):.0f} MiB"))
        with watched(server.process) as found:
            server.wait([server.create(song, models="unet,vit")])
        rows.append(("the same with both nets", f"{max(found):.0f} MiB"))
    return rows


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description="Requests, songs, workers and memory of demix serve.")
    parser.add_argument("--parts", nargs="+", default=["requests", "songs", "workers", "memory"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--songs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    parts: dict[str, Callable[[Path], list[Row]]] = {
        "requests": measure_requests,
        "songs": lambda each: measure_songs(each, songs=options.songs, seconds=options.seconds, rounds=options.rounds),
        "workers": lambda each: measure_workers(each, rounds=options.rounds),
        "memory": measure_memory,
    }
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    print(
        f"{len(os.sched_getaffinity(0))} cores, OMP_NUM_THREADS {threads}\n\n| what | measured |\n|---|---|", flush=True
    )
    with tempfile.TemporaryDirectory(dir=".") as folder:  # not in /tmp, which may be memory
        for name in options.parts:
            for what, measured in parts[name](Path(folder).resolve()):
                print(f"| {what} | {measured} |", flush=True)


if __name__ == "__main__":
    main()
