"""Servers, workers and Redis as processes of this machine, for `serve.py`; needs Linux."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from demix.api.job_table import JobTable
from demix.api.jobs import DONE, Job

PATIENCE_SECONDS = 60.0
END_SECONDS = 20.0

# One song as a worker's child does it, in a new process: how long its parts take.
_PARTS = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from demix.api import work
imported = time.perf_counter()
parts = {}
def timed(name, function):
    def call(*given, **named):
        start = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            parts[name] = parts.get(name, 0) + time.perf_counter() - start
    return call
import demix.separation
demix.separation.load = timed("load the net", demix.separation.load)
work.separate = timed("separate", work.separate)
work.write_views = timed("views", work.write_views)
task = work.Task("song", {"unet": "unet"}, ("vocals", "drums", "bass", "other"), None, None, "cpu", 60.0)
start = time.perf_counter()
work.make(Path(sys.argv[1]), Path(sys.argv[2]), task, lambda value: None)
parts["all"] = time.perf_counter() - start
parts["separate"] -= parts["load the net"]
print(parts["all"], parts["load the net"], parts["separate"], parts["views"])
"""


@dataclass
class Server:
    """A server, a client that talks to it, and its job table."""

    process: subprocess.Popen[bytes]
    http: httpx.Client
    jobs: JobTable

    def create(self, song: Path, **options: object) -> str:
        """Upload a song to be separated by the U-Net; return its id."""
        params: dict[str, str] = {"models": "unet", "format": "flac", "title": song.name}
        params |= {name: str(value) for name, value in options.items()}
        answer = self.http.post("/api/v1/separations", params=params, content=song.read_bytes())
        return str(answer.raise_for_status().json()["id"])

    def wait(self, ids: Sequence[str]) -> list[Job]:
        """Return separations once all are done."""
        while True:
            jobs = [job for job in (self.jobs.get(each) for each in ids) if job is not None]
            if all(job.finished is not None for job in jobs):
                break
            time.sleep(0.2)
        if any(job.status != DONE for job in jobs):
            sys.exit(str(next(job.error for job in jobs if job.status != DONE)))
        return jobs


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[Server]:
    """Start a server in a folder and end it with the block."""
    with started(folder / "server.log", [sys.executable, "-m", "demix", "serve"], folder, settings) as process:
        found = wait_for_line(process, folder / "server.log", r"http://localhost:(\d+)")
        http = httpx.Client(base_url=f"http://127.0.0.1:{found}", timeout=PATIENCE_SECONDS)
        jobs = JobTable.in_folder(folder / "data")
        try:
            http.get("/readyz").raise_for_status()
            yield Server(process, http, jobs)
        finally:
            jobs.close()
            http.close()


@contextmanager
def working(folder: Path, core: int | None, **settings: object) -> Iterator[None]:
    """Start a worker of that folder's server, on one core if named, and end it with the block."""
    log = folder / f"worker-{time.monotonic_ns()}.log"
    prefix = [] if core is None else ["taskset", "-c", str(core)]
    with started(log, [*prefix, sys.executable, "-m", "demix", "worker"], folder, settings) as process:
        wait_for_line(process, log, "demix (works) on")
        yield


def song_parts(song: Path, folder: Path, cores: Sequence[int | None]) -> list[list[float]]:
    """Do a worker's work on a song in a process for each core, all at once, with no server, queue or table.

    Returns:
        For each core the seconds of all, and of it to load the net, to separate, and for what there is to see.
    """
    running = []
    for core in cores:
        prefix = [] if core is None else ["taskset", "-c", str(core)]
        command = [*prefix, sys.executable, "-c", _PARTS, str(song), str(folder / str(time.monotonic_ns()))]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    return [[float(word) for word in process.communicate()[0].split()] for process in running]


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Start Redis and end it with the block; give its address."""
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        port = each.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with started(folder / "redis.log", command, folder, {}) as process:
        wait_for_line(process, folder / "redis.log", "(Ready) to accept")
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def started(log: Path, command: list[str], folder: Path, settings: dict[str, object]) -> Iterator[subprocess.Popen]:
    """Start a process with settings of demix, and end it and its children with the block."""
    given: dict[str, object] = {
        "port": 0,
        "data_dir": folder / "data",
        "temp_dir": folder / "temp",
        "queue_limit": 1000,
    }
    given |= {"rate_limit": "off", "request_limit": "off"} | settings
    named = {f"DEMIX_{name.upper()}": str(value) for name, value in given.items()}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEMIX_")} | named
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_line(process: subprocess.Popen, log: Path, pattern: str) -> str:
    """Return what a pattern finds in a log as soon as it is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := re.search(pattern, log.read_text())):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(log.read_text())
        time.sleep(0.05)
    return found.group(1)


@contextmanager
def watched(process: subprocess.Popen) -> Iterator[list[float]]:
    """Give the memory of a process and its children in MiB, measured again and again; shared memory counts once."""
    end, found = threading.Event(), [memory(process)]

    def measure() -> None:
        while not end.wait(0.1):
            found.append(memory(process))

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        thread.join()


def memory(process: subprocess.Popen) -> float:
    """Return the memory of a process and its children in MiB; shared memory counts once."""
    kilobytes = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            session = int((path / "stat").read_text().rsplit(")", 1)[1].split()[3])
            if session == process.pid:
                found = re.search(r"^Pss: +(\d+) kB", (path / "smaps_rollup").read_text(), re.MULTILINE)
                kilobytes += int(found.group(1)) if found else 0
        except OSError:  # it has ended
            continue
    return kilobytes / 1024
