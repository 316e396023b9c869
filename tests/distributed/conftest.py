"""Runs that torchrun starts, through the front door; every process writes to files of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from demix.config import load_config
from demix.data.store import open_store
from demix.training.checkpoint import LAST_FILE
from demix.training.loop import train

PATIENCE_SECONDS = 240.0  # for anything at all; machines that run tests may be slow

# Not a multiple of two, so that the shares of two processes differ; and taken in pieces, so that gradients add up.
BATCHES = {"unet": (3, 1), "vit": (5, 2)}
STEPS = ("training.steps=20", "training.valid_every=10", "training.checkpoint_every=3")


@dataclass
class Job:
    """One torchrun, or one of several that train together, in the folder that it was started in."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def run(self) -> Path:
        """Return the run folder."""
        return self.folder / "checkpoints" / self.name

    def ranks(self) -> dict[int, int]:
        """Return the living processes that train: rank -> process."""
        found = {}
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            with suppress(OSError):  # it has ended meanwhile
                for variable in Path(f"/proc/{child}/environ").read_text().split("\0"):
                    if variable.startswith("RANK="):
                        found[int(variable.removeprefix("RANK="))] = int(child)
        return found

    def wait_for(self, file: str) -> None:
        """Wait for a file of the run folder."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.run / file).exists():
            assert self.process.poll() is None, self.torchrun_log()
            assert time.monotonic() < deadline, f"no {file}"
            time.sleep(0.002)

    def end(self) -> int:
        """Wait for the end and return the status."""
        return self.process.wait(PATIENCE_SECONDS)

    def torchrun_log(self) -> str:
        """Return what torchrun itself has written."""
        return (self.folder / f"{self.name}.torchrun").read_text()

    def printed(self, stream: str, *, attempt: int = 0) -> dict[int, list[str]]:
        """Return what each process of this torchrun has written to `stdout` or `stderr`: local rank -> lines."""
        logs = (self.folder / f"{self.name}.logs").glob(f"*/attempt_{attempt}/*/{stream}.log")
        return {int(log.parent.name): [line for line in log.read_text().splitlines() if line] for log in logs}

    def kill(self) -> None:
        """End all of it, in whatever state."""
        if self.process.poll() is None:
            for pid in [*self.ranks().values(), self.process.pid]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Job]]:
    """Return a function that starts `demix train`, or a script, by torchrun, and does not wait for it."""
    jobs: list[Job] = []

    def start(
        folder: Path,
        name: str,
        settings: list[str],
        *,
        torchrun: tuple[str, ...] = ("--standalone", "--nproc-per-node", "2"),
        program: tuple[str, ...] = ("-m", "demix", "train"),
        greatest_file: int | None = None,
    ) -> Job:
        """Start it; `greatest_file` in KiB plays a full disk."""
        folder.mkdir(parents=True, exist_ok=True)
        logs = ("--log-dir", str(folder / f"{name}.logs"), "--redirects", "3")
        options = ["--name", name, *(word for setting in settings for word in ("--set", setting))]
        command = [sys.executable, "-m", "torch.distributed.run", *torchrun, *logs, *program, *options]
        if greatest_file is not None:
            command = ["sh", "-c", f'ulimit -f {2 * greatest_file}; exec "$@"', "sh", *command]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
        with (folder / f"{name}.torchrun").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        jobs.append(Job(name, folder, process))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()


@pytest.fixture(scope="session")
def settings_of(nano_settings: Callable[..., list[str]], songs_folder: Path) -> Callable[..., list[str]]:
    """Return a function that gives the settings with which a net is trained here."""

    def settings(net: str, *more: str) -> list[str]:
        batch, piece = BATCHES[net]
        sizes = (f"data.batch_size={batch}", f"speed.micro_batch={piece}", f"data.dataset={songs_folder}")
        return nano_settings(net, *STEPS, *sizes, *more)

    return settings


@pytest.fixture(scope="session")
def pairs(
    launch: Callable[..., Job], settings_of: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Job]:
    """Return runs of both nets by two processes; they had songs to prepare, each run in a folder of its own."""
    jobs = {net: launch(tmp_path_factory.mktemp("pair"), net, settings_of(net)) for net in BATCHES}
    for job in jobs.values():
        assert job.end() == 0, (job.torchrun_log(), job.printed("stderr"))
    return jobs


@pytest.fixture(scope="session")
def alone(pairs: dict[str, Job], settings_of: Callable[..., list[str]], songs_folder: Path) -> dict[str, Path]:
    """Return the run folders of the same nets, trained by this process in whole batches on the same prepared songs."""
    folders = {}
    for net, job in pairs.items():
        folders[net] = job.folder / "checkpoints" / "alone"
        tracks = open_store(job.folder / "data" / "processed" / songs_folder.name)
        train(load_config(None, settings_of(net, "speed.micro_batch=0")), folders[net], tracks=tracks)
        assert (folders[net] / LAST_FILE).is_file()
    return folders
