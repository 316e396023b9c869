"""A real server for every test that wants one: `demix serve` in a process, on a free port, in a folder of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from demix import audio

SONG = Path(__file__).parents[2] / "songs" / "lithium"
SECONDS, START = 4, 64
PATIENCE_SECONDS = 60.0


@dataclass
class Server:
    folder: Path
    process: subprocess.Popen[bytes]
    url: str = ""
    key: str = ""
    http: httpx.Client = field(init=False)

    def connect(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def upload(self, path: Path, **fields: Any) -> httpx.Response:
        with path.open("rb") as file:
            return self.http.post("/api/v1/separations", files={"file": (path.name, file)}, data=fields)

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/api/v1/separations/{job_id}").raise_for_status().json()
        return found

    def wait(self, job_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (job := self.job(job_id))["status"] in ("queued", "running"):
            assert time.monotonic() < deadline, f"{job}\n{self.log[-2000:]}"
            time.sleep(0.1)
        return job

    def separate(self, path: Path, **fields: Any) -> dict[str, Any]:
        answer = self.upload(path, **fields)
        assert answer.status_code == 202, answer.text
        job = self.wait(answer.json()["id"])
        assert job["status"] == "done", job
        return job

    def stem(self, job: dict[str, Any], system: str, stem: str, **params: Any) -> httpx.Response:
        url = f"/api/v1/separations/{job['id']}/systems/{system}/stems/{stem}"
        return self.http.get(url, params=params).raise_for_status()

    def temp_files(self) -> list[Path]:
        return list((self.folder / "data/temp/serve").iterdir())

    def stored_files(self, job_id: str) -> list[Path]:
        return [path for path in (self.folder / "data/serve/files" / job_id).rglob("*") if path.is_file()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


Serve = Callable[..., Server]


def start(folder: Path, key: str = "", **settings: object) -> Server:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEMIX_")}
    environment |= {"DEMIX_PORT": "0"} | {f"DEMIX_{name.upper()}": str(value) for name, value in settings.items()}
    log = folder / "log"
    with log.open("ab") as file:
        already = file.tell()
        command = [sys.executable, "-W", "error::ResourceWarning", "-m", "demix", "serve"]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
    server = Server(folder, process, key=key)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := re.search(r"http://\S+", log.read_text()[already:])):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    server.url = found.group(0).replace("localhost", "127.0.0.1")
    server.connect()
    while server.http.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return server


def end(server: Server) -> None:
    server.http.close()
    if server.process.poll() is None:
        server.stop()
    assert "Traceback" not in server.log, server.log


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server with default settings but for the rate limits."""
    running = start(tmp_path_factory.mktemp("server"), rate_limit="off", request_limit="off")
    yield running
    end(running)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that starts a server with other settings."""
    running: list[Server] = []

    def begin(**settings: object) -> Server:
        running.append(start(tmp_path / "server", **{"rate_limit": "off", "request_limit": "off"} | settings))
        return running[-1]

    yield begin
    for each in running:
        end(each)


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a few seconds of a real song as an mp3."""
    stems = [audio.read(SONG / f"{stem}.ogg") for stem in ("vocals", "drums", "bass", "other")]
    rate = stems[0][1]
    mixture = np.sum([waveform for waveform, _ in stems], axis=0)[:, START * rate : (START + SECONDS) * rate]
    path = tmp_path_factory.mktemp("songs") / "my song.mp3"
    audio.write(path, mixture * 0.9, sample_rate=rate)
    return path


@pytest.fixture(scope="session")
def finished(server: Server, song: Path) -> dict[str, Any]:
    """Give a separation by both nets that is done; leave it as it is."""
    return server.separate(song, models=["unet", "vit"], format="flac")
