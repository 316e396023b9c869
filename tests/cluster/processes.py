"""Processes of this machine, each with a log of its own: servers, workers, Redis. Loaded by the conftests of here.

Whatever a test starts is gone after it, with all its children, also when the test failed.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import soundfile

PATIENCE_SECONDS = 60.0
Found = TypeVar("Found")


@dataclass
class Running:
    """A process that leads a session of its own, so that its children can be found and ended with it."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    log_start: int = 0

    @property
    def log(self) -> str:
        """What it has written since it was started."""
        return self.log_path.read_bytes()[self.log_start :].decode(errors="replace")

    def members(self) -> dict[int, int]:
        """Return the living processes of its session, process -> parent."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent, _, session = path.read_text().rsplit(")", 1)[1].split()[:4]
            except OSError:
                continue
            if int(session) == self.process.pid and state != "Z":
                found[int(path.parent.name)] = int(parent)
        return found

    def at_work(self) -> list[int]:
        """Return its processes that hold a song or look at an upload: the children of the one that makes them."""
        members = self.members()
        makers = [each for each in members if b"forkserver" in _read(f"/proc/{each}/cmdline")]
        return [process for process, parent in members.items() if parent in makers and parent != self.process.pid]

    def memory(self) -> float:
        """Return the memory of all its processes in MiB; what several share is counted once."""
        kept = [re.search(rb"^Pss: +(\d+) kB", _read(f"/proc/{each}/smaps_rollup"), re.M) for each in self.members()]
        return sum(int(found.group(1)) for found in kept if found) / 1024

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process alone, and wait for its end."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """Kill the process with all its children."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process in self.members():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue


@dataclass
class Server(Running):
    """`demix serve`, and a client that talks to it."""

    data: Path = Path()
    temp: Path = Path()
    http: httpx.Client = field(default_factory=httpx.Client)

    def create(self, song: Path, **options: Any) -> str:
        """Upload a song that has to be accepted; return the separation's id."""
        params = {"models": "unet", "format": "flac", "title": song.name} | options
        answer = self.http.post("/api/v1/separations", params=params, content=song.read_bytes())
        assert answer.status_code == 202, f"{answer.status_code} {answer.text}\n{self.log[-3000:]}"
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/api/v1/separations/{job_id}").raise_for_status().json()
        return found

    def stem(self, job_id: str, system: str, stem: str) -> tuple[np.ndarray, bytes]:
        url = f"/api/v1/separations/{job_id}/systems/{system}/stems/{stem}?format=flac"
        content = self.http.get(url).raise_for_status().content
        path = self.log_path.parent / "stem.flac"
        path.write_bytes(content)
        return soundfile.read(path, dtype="float32", always_2d=True)[0].T, content

    def temp_files(self) -> list[Path]:
        return [path for path in (self.temp / "serve").rglob("*") if path.is_file()]


class Fleet:
    """Starts processes, waits for what they do, and shows the ends of their logs when that takes too long."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[Running] = []

    def start(self, name: str, *command: str, kind: type[Running] = Running, **how: Any) -> Any:
        """Start a command; its log goes on where one of the same name ended."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log").open("ab") as log:
            start, options = log.tell(), {"cwd": folder} | how
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **options)
        self.running.append(kind(name, process, folder / "log", start))
        return self.running[-1]

    def wait(self, what: str, condition: Callable[[], Found], seconds: float = PATIENCE_SECONDS) -> Found:
        """Return what a condition gives as soon as that is true."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                ends = "\n".join(f"--- {each.name} ---\n{each.log[-3000:]}" for each in self.running)
                raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}\n{ends}")
            time.sleep(0.05)
        return found

    def serve(self, name: str = "server", prefix: tuple[str, ...] = (), **settings: object) -> Server:
        """Start a server, or start it again; without rate limits, and with a folder of its own, unless told."""
        home = self.folder / name
        given = {"port": 0, "data_dir": home / "data", "temp_dir": home / "temp"} | settings
        server: Server = self.start(name, *prefix, *_demix("serve"), kind=Server, env=environment(**given))
        server.data, server.temp = Path(str(given["data_dir"])), Path(str(given["temp_dir"]))
        line = re.compile(r"demix serves at http://\S+?:(\d+)")
        found = self.wait("the server's port", lambda: self._alive(server) and line.search(server.log))
        server.http = httpx.Client(base_url=f"http://127.0.0.1:{found.group(1)}", timeout=PATIENCE_SECONDS)
        self.wait("the server's health", lambda: server.http.get("/healthz").status_code == 200)
        return server

    def work(self, *names: str, prefix: tuple[str, ...] = (), **settings: object) -> list[Running]:
        """Start `demix worker` by each name; return once they look for songs."""
        env = environment(**settings)
        workers: list[Running] = [self.start(name, *prefix, *_demix("worker"), env=env) for name in names]
        for worker in workers:
            self.wait(worker.name, lambda worker=worker: self._alive(worker) and "demix works on" in worker.log)
        return workers

    def redis(self, port: int | None = None) -> tuple[Running, int]:
        """Start an empty Redis; return it with its port."""
        port = port or free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        running = self.start("redis", *command)
        self.wait("Redis", lambda: self._alive(running) and answers(port))
        return running, port

    def end(self) -> None:
        for each in reversed(self.running):
            if isinstance(each, Server):
                each.http.close()
            each.end()

    def _alive(self, running: Running) -> bool:
        assert running.process.poll() is None, f"{running.name} ended:\n{running.log[-3000:]}"
        return True


def environment(**settings: object) -> dict[str, str]:
    """Return this process's environment with other settings of demix; those in capitals are taken as they are."""
    settings = {"rate_limit": "off", "request_limit": "off"} | settings
    named = {name if name.isupper() else f"DEMIX_{name.upper()}": str(value) for name, value in settings.items()}
    return {name: value for name, value in os.environ.items() if not name.startswith("DEMIX_")} | named


def _read(path: str) -> bytes:
    """Return what the kernel says, nothing of a process that is gone."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _demix(command: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "demix", command)


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as each:
        return each.connect_ex(("127.0.0.1", port)) == 0
